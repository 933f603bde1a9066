# Everything starts from Python 3.11 or newer: `make demo` and `make test` do the rest.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint browser database fuzz bench clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.ready ## install, and train on a real table
	@$(BIN)/trasluz train penguins --target species --out runs/demo

test: .venv/.ready-dev lint browser database ## install, and check everything: style, types, tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/.ready-dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

browser: ## install Chromium, for the tests in a browser
	@if { command -v chromium || command -v google-chrome; } >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Chromium is missing: apt-get installs it, and a font for formulas"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq --yes --no-install-recommends chromium fonts-lmodern >/dev/null || \
	    echo "it could not be installed: the tests in a browser are left out"; \
	else echo "Chromium is missing: the tests in a browser are left out"; fi

database: ## install PostgreSQL, for the tests of searches
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "PostgreSQL is missing: apt-get installs it"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq --yes --no-install-recommends postgresql >/dev/null || \
	    echo "it could not be installed: the tests with a server are left out"; \
	else echo "PostgreSQL is missing: the tests with a server are left out"; fi

fuzz: .venv/.ready-dev ## attack what is read from outside: 20,000 cases with a new seed
	cd tests && ../$(BIN)/python -m fuzz --cases 20000 --seed $$(date +%s)

bench: .venv/.ready-dev ## measure against other libraries: benchmarks/results.md
	$(BIN)/python benchmarks/bench.py

clean: ## remove what was made, the environment too
	rm -rf .venv runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv

# The stamps say that what pyproject.toml and constraints.txt ask for is installed.
.venv/.ready: $(SOURCES) | .venv/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/.ready-dev: $(SOURCES) | .venv/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch .venv/.ready $@
