# Two commands: `make run` and `make test`. Each sets itself up on a machine with Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: run test test-slow check install browser tesseract clean help

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

run: install ## Ingest the sample data, draft replies to the sample comments, show them, and serve the page
	$(BIN)/shawgpt ingest data/sample/posts data/sample/pdfs
	$(BIN)/shawgpt import replies data/sample/past_replies.csv
	@mkdir -p .shawgpt/personas && test -e .shawgpt/personas/nell.yaml || cp data/sample/nell.yaml .shawgpt/personas/
	$(BIN)/shawgpt reply data/sample/comments.csv -o replies.csv --persona nell --table
	$(BIN)/shawgpt serve --host 127.0.0.1 --port 7860 --persona nell

test: install browser tesseract ## Run the tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: install browser tesseract ## Run the long ones too: hundreds of kills, big files
	$(BIN)/pytest -m "slow or not slow" --timeout 3600

check: install ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

install: $(STAMP) ## Set up .venv

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ShawGPT needs Python 3.11 or newer; name one with `make PYTHON=python3.12 …`")'
	@echo "Setting up .venv: packages are downloaded, which takes a minute or more"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

browser: ## Chromium, for the tests of the page
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || ./.ci/chromium

tesseract: ## The program that reads scans, for the tests of OCR
	@command -v tesseract >/dev/null || ./.ci/tesseract

clean: ## Remove what was built, not what you made in .shawgpt
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
