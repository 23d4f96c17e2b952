# Two commands do everything on a fresh machine: `make book` and `make test`.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000

.PHONY: help setup book pdf epub serve test test-quick test-mnist lint notebooks network digits \
	traces cover bench clean

help:
	@echo "make book        build the book into _build/html"
	@echo "make pdf         build the book and print it into one PDF, in _build/pdf"
	@echo "make epub        build the book and put it into one EPUB, in _build/epub"
	@echo "make serve       build the book and show it on http://127.0.0.1:8000 (or PORT=...)"
	@echo "make test        run the unit tests and every notebook, on the embedded digits"
	@echo "make test-quick  run the tests that are quick: no chapters, no pages"
	@echo "make test-mnist  run every notebook on MNIST"
	@echo "make lint        check style and types"
	@echo "make notebooks   run every chapter on MNIST and store what it prints"
	@echo "make network     train on MNIST the network of the page where one draws a digit"
	@echo "make digits      write the embedded digits for the page where a network learns"
	@echo "make traces      record what JAX does, for the live figure of chapter 9"
	@echo "make cover       draw the cover of the front page"
	@echo "make bench       measure what the record lacks, and print its tables"
	@echo "make clean       remove the built book and the virtual environment"
	@echo "Each first makes a virtual environment in .venv, once."

setup: $(VENV)/complete

$(VENV)/complete: requirements.txt constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 to 3.13 was found. Install one, or name" \
		"it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV): about 4 GB to fetch and unpack, a minute or two"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement requirements.txt --editable '.[dev,export,serve,bench]'
	@touch $@

book: setup
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	@echo
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html, or run: make serve"

# From pages that are already built: make pdf epub PAGES=
PAGES = book

pdf: $(PAGES)
	$(BIN)/python tools/make_pdf.py

epub: $(PAGES)
	$(BIN)/python tools/make_epub.py

serve: book
	@echo "The book is on http://127.0.0.1:$(PORT) until you press Ctrl-C"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# Unit tests and notebooks on two workers; then what wants the machine for itself.
test: setup tests/node_modules
	$(BIN)/python -m pytest -n 2 -m "not serial" --durations=25
	$(BIN)/python -m pytest -m serial tests
	@echo
	@echo "All tests passed. Train the classifier: .venv/bin/python -m mnist_code train"

# axe-core looks for faults that keep readers out. Without npm its one test is skipped.
tests/node_modules: tests/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests --ignore-scripts --no-audit --no-fund; \
		else echo "npm was not found: the pages are not checked with axe-core"; fi

# No chapters, no pages, nothing slow.
test-quick: setup
	$(BIN)/python -m pytest -n 2 -m "not slow and not serial" tests mnist_code \
		$(foreach page,browser builders editions live_* site train_page,--ignore-glob 'tests/test_$(page).py')

test-mnist: setup
	MNIST_CODE_DATASET=mnist $(BIN)/python -m pytest --nbval chapters

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

notebooks: setup
	$(BIN)/python tools/run_notebooks.py

network: setup
	$(BIN)/python tools/draw_network.py

digits: setup
	$(BIN)/python tools/train_digits.py

traces: setup
	$(BIN)/python tools/record_traces.py

cover: setup
	$(BIN)/python tools/cover.py

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf _build .venv tests/node_modules
