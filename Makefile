PYTHON ?= python3
BIN := .venv/bin
SAMPLE ?= pez_core/embedded/samples/penguin.png

PARTS ?= tests/page tests/nodes tests/core

TESTS = OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARTS) -n auto --no-loadscope-reorder

.PHONY: demo test test-all tests tests-all lint locales

demo: .venv/.run-ready
	@mkdir -p out
	@$(BIN)/python -m pez_core invert $(SAMPLE) --readability 0.2 --paint --plot out/demo.png

# Linters run beside the tests, which wait for a page now and then.
test test-all: .venv/.test-ready
	@$(MAKE) --no-print-directory -j 2 lint $(@:test%=tests%)

tests: .venv/.test-ready
	$(TESTS) -m "not slow"

tests-all: .venv/.test-ready
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
