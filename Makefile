# `make demo` and `make test` need Python 3.11+ and make; everything else they bring.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install demo test test-all campaign lint docs bench clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev,docs]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m drivemem.demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --ignore tests/test_campaigns.py tests
	$(BIN)/python -m pytest tests/test_campaigns.py

test-all: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "slow or not slow" --ignore tests/test_campaigns.py tests
	$(BIN)/python -m pytest -m "slow or not slow" tests/test_campaigns.py

campaign: $(STAMP)
	$(BIN)/python -m tests.campaigns --json campaign.json

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open site/index.html"

bench: $(STAMP)
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv build dist demo site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
