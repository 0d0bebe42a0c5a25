"""Which sentences answer a question, and how probable it is that any does: linear models over words and cosines."""
