# make serve: the chat page on http://127.0.0.1:7860. make test: everything. make help: the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SUITES := published output_guard

.PHONY: help install serve clinic test lint format check train grounding eval load bench adversary audit clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## Make the virtual environment and install pinned dependencies

# torch comes first: with it in place, no other package asks for a build with CUDA.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,train,inspect]'
	@touch $@

serve: install  ## Serve the chat page, building the index if it is not current
	$(BIN)/askdmt serve

clinic: install  ## Serve an example clinic's website with AskDMT on it, on http://localhost:8000
	$(BIN)/python examples/clinic/serve.py

test: lint check  ## Lint, check the knowledge, and run every test
	$(BIN)/python -m pytest

lint: install  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: install  ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

check: install  ## Prove what can be proved of the knowledge
	$(BIN)/askdmt knowledge check

train: install  ## Train the guard's classifier from its exemplars
	$(BIN)/python -m askdmt.guardrails.training

grounding: install  ## Train the output guard's check of grounding from its pairs
	$(BIN)/python -m askdmt.guardrails.grounding_training

eval: install  ## Measure on every published suite, and write evals/results/latest/; SUITES="guard dialogs"
	$(BIN)/askdmt eval $(SUITES:%=--suite %) --out evals/results/latest --floors evals/floors.json \
	  --baseline evals/results/baseline.json --compare evals/results/baseline.json

load: install  ## Let up to 64 visitors at once ask a server on this machine, and write evals/load/results/
	$(BIN)/python evals/load/run.py

adversary: install  ## Let an unsafe little language model write the drafts, and write evals/adversary/results/
	bash evals/adversary/run.sh

bench: install  ## Measure speed and memory, and write evals/bench/results/; ARGS="--short" or "--help"
	cd evals && PYTHONPATH=. ../$(BIN)/python -m bench.run $(ARGS)

audit: install  ## Look the pinned versions up in PyPI's list of known vulnerabilities
	PYTHON=$(BIN)/python .ci/audit

clean:  ## Remove what can be built again
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
