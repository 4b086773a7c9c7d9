PYTHON ?= python3
BIN := .venv/bin
SAMPLE ?= pez_core/embedded/samples/penguin.png

TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/page tests/nodes tests/core -n auto --no-loadscope-reorder

.PHONY: demo test test-all lint locales

demo: .venv/.run-ready
	@mkdir -p out
	@$(BIN)/python -m pez_core invert $(SAMPLE) --readability 0.2 --paint --plot out/demo.png

test: .venv/.test-ready lint
	$(TESTS) -m "not slow"

test-all: .venv/.test-ready lint
	$(TESTS)

locales: .venv/.run-ready
	$(BIN)/python -m locales.expand

lint: .venv/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

.venv/.run-ready: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

.venv/.test-ready: .venv/.run-ready requirements-dev.txt
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@
