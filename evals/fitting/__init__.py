"""Fits the numbers of `ragstead.answering` on public data sets; a developer runs it, never the product."""
