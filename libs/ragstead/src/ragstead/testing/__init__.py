"""Fakes that pass the contract suites, and the suites themselves."""
