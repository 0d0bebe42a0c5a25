"""Benchmarks: what the product costs in time and memory. Each module prints one JSON object; `make bench` runs them all."""
