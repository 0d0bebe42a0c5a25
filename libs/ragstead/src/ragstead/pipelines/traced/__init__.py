"""The ports and pipelines with spans around them: each does what the one within it does, and books it.

What nobody traces passes through them as if they were not there.
"""
