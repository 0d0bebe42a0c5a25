# Every target only calls a script of the standard library, which works without make too.
PYTHON ?= python3
PORT ?= 8080
ARGS ?=
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help up test check gate bench lock generation

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

up:  ## set everything up, ingest the samples into an empty store, serve on PORT (8080) until Ctrl-C
	@$(PYTHON) scripts/up.py --port $(PORT)

test:  ## set everything up and run the tests; ARGS='-k fusion' is passed to pytest
	@$(PYTHON) scripts/test.py $(ARGS)

check:  ## check format, lint, types, architecture, dependencies and documentation; ARGS=lint runs one
	@$(PYTHON) scripts/check.py $(ARGS)

gate:  ## hold the configuration against the results kept in evals/baseline; ARGS='--out build/gate'
	@$(PYTHON) scripts/gate.py $(ARGS)

bench:  ## measure, and write the table of docs/benchmarks.md; DATA=folder of the public data sets
	@$(PYTHON) scripts/bench.py $(if $(DATA),--data $(DATA)) $(ARGS)

generation:  ## make vLLM's environment, .generation; ARGS=cpu or ARGS=gpu, else what the machine has
	@$(PYTHON) scripts/generation_env.py $(ARGS)

lock:  ## write the lock files from pyproject.toml; ARGS=--upgrade takes the newest versions
	@$(PYTHON) scripts/lock.py $(ARGS)
