"""The handbook suite as tests of DeepEval: `deepeval test run evals/deepeval/test_handbook.py`, or under pytest."""
