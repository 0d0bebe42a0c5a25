"""Measurements of the product; `bench` measures cost."""
