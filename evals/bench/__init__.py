"""Benchmarks: what the product costs in time and memory. Each prints one JSON object; `make bench` runs them."""
