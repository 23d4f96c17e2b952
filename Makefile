# Two commands do everything on a fresh machine: `make book` and `make test`.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin

.PHONY: help setup book test test-mnist lint notebooks bench clean

help:
	@echo "make book        build the book into _build/html"
	@echo "make test        run the unit tests and every notebook, on the embedded digits"
	@echo "make test-mnist  run every notebook on MNIST"
	@echo "make lint        check style and types"
	@echo "make notebooks   run every chapter on MNIST and store what it prints"
	@echo "make bench       measure what the record of benchmarks/ lacks, and print its tables"
	@echo "make clean       remove the built book and the virtual environment"
	@echo "Each first makes a virtual environment in .venv, once."

setup: .venv/complete

.venv/complete: requirements.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 to 3.13 was found. Install one, or name" \
		"it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Setting up .venv: about 3 GB to fetch and unpack, a minute or two"
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement requirements.txt --editable '.[dev]'
	@touch $@

book: setup
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo
	@echo "The book is built. Open _build/html/index.html"

test: setup
	$(BIN)/python -m pytest
	@echo
	@echo "All tests passed. Train the classifier: .venv/bin/python -m mnist_code train"

test-mnist: setup
	MNIST_CODE_DATASET=mnist $(BIN)/python -m pytest --nbval chapters

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

notebooks: setup
	$(BIN)/python tools/run_notebooks.py

bench: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

clean:
	rm -rf _build .venv
