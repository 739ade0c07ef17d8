# Two commands: `make demo` sets up and runs the main job, `make test` sets up and runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash

.PHONY: demo test docs coverage clean

demo: $(VENV)/.installed
	$(BIN)/cloudchamber run nuclear-shape --preset quick

# two processes of tests share two cores: one thread each is faster than threads that wait for each other
test coverage: export OMP_NUM_THREADS := 1

test: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sphinx-build -W -q docs build/docs
	$(BIN)/pytest -n 2 --dist worksteal

docs: $(VENV)/.installed-dev
	$(BIN)/sphinx-build -W -q docs build/docs
	@echo build/docs/index.html

# Which lines no test reaches (also those that run in other processes); numba's kernels are compiled and do not count.
# Without the tests of a full disk: where no file may grow, coverage cannot write its own.
coverage: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 --dist worksteal -k "not full_disk" --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

# torch comes from constraints.txt; where the CPU wheel's version carries a "+cpu" tag, pip takes it from PyTorch's index.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev
	touch $@

clean:
	rm -rf $(VENV) build .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
