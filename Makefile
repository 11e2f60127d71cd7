# Everything starts here: `make record` and `make test` set up whatever is missing.

# The Python to make .venv with: 3.11 or newer. Left empty, the first fit one on PATH.
PYTHON ?=
BIN := .venv/bin
PYTHON_READY := .venv/.python-ready
BROWSER_READY := .venv/.browser-ready
PAGE_READY := node_modules/.page-ready

.DEFAULT_GOAL := help
.PHONY: help setup record test check bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' Makefile

setup: $(PYTHON_READY) $(BROWSER_READY) $(PAGE_READY) ## Make .venv, install the package, the page's tooling and a Chrome

record: setup ## Record three people for ten seconds, and judge the file
	$(BIN)/harness record alice bob carol --recorder all --quality 720p --frame-rate 30 --seconds 10 --name standup

# What records wants the machine for itself; the rest shares it.
SHARING := tests/unit tests/page tests/expectations tests/e2e/test_wheel.py tests/e2e/test_chrome.py tests/e2e/test_doctor.py
RECORDING := tests/e2e tests/faults tests/plugin $(addprefix --ignore=,$(filter tests/e2e/%,$(SHARING)))

test: setup ## Run every suite in quick form
	@python=0; page=0; \
	$(BIN)/pytest -n 2 --dist worksteal $(SHARING) || python=$$?; \
	$(BIN)/pytest $(RECORDING) || python=$$?; \
	scripts/with-node node --test --test-force-exit --test-reporter=spec web/test/*.test.js || page=$$?; \
	echo "make test: pytest exit code $$python, node --test exit code $$page"; \
	test $$python -eq 0 && test $$page -eq 0

check: setup ## Check format, lint, types and layers of Python and page
	scripts/check

bench: setup ## Measure, side by side with the peers
	$(BIN)/python benchmarks

clean: ## Remove what setup and the tools made; recordings stay
	rm -rf .venv node_modules build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON_READY): pyproject.toml scripts/make-venv
	scripts/make-venv $(PYTHON)
	$(BIN)/pip install --disable-pip-version-check --quiet --editable '.[dev]'
	@touch $@

$(BROWSER_READY): $(PYTHON_READY)
	$(BIN)/harness browser install
	@touch $@

$(PAGE_READY): package.json package-lock.json | $(PYTHON_READY)
	scripts/with-node npm ci --loglevel=error
	@touch $@
