"""Measures of the detectors of `ragstead.guardrails`: one command prints them all (`python -m evals.guardrails`)."""
