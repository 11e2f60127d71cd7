# Everything starts here: `make record` and `make test` set up whatever is missing.

# The Python to make .venv with: 3.11 or newer, as in `make record PYTHON=python3.13`. Left empty, the first one on PATH
# that fits.
PYTHON ?=
BIN := .venv/bin
INTERPRETER := .venv/.interpreter
PYTHON_READY := .venv/.python-ready
BROWSER_READY := .venv/.browser-ready
TOOLS_READY := .venv/.tools-ready
PAGE_READY := node_modules/.page-ready

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev record test test-thorough test-faults test-truth test-security soak bench check docs gallery lock audit licences sbom clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-13s %s\n", $$1, $$2}' Makefile

setup: $(PYTHON_READY) $(BROWSER_READY) ## Make .venv, install the package and a Chrome: all that recording needs

setup-dev: setup $(TOOLS_READY) $(PAGE_READY) ## Install also what tests and checks need: Python's tools and the page's

record: setup ## Record three participants for ten seconds, and verify the file
	$(BIN)/harness record alice bob carol --recorder all --quality 720p --frame-rate 30 --seconds 10 --name standup

# More for pytest: make test TESTS="--basetemp=build/pytest -k page".
TESTS ?=
# Coverage is measured unless it is switched off: make test COVERAGE=
# Before Python 3.14 a tracer follows every call and greenlet, which costs up to twice the processor time; later ones need none.
COVERAGE ?= 1
MEASURED_PYTEST := $(if $(COVERAGE),$(BIN)/coverage run --concurrency=$$concurrency -m pytest,$(BIN)/pytest)
MEASURED_PAGE := $(if $(COVERAGE),--experimental-test-coverage --test-reporter=lcov --test-reporter-destination=build/coverage/page.lcov)

# The page's own tests take seconds and run next to the first Python tests. Files marked parallel run in two processes,
# then all other tests run alone; 5 is pytest's exit code for "no tests selected". All failures are repeated at the end.
test: setup-dev ## Run every suite in quick form
	@rm -rf build/coverage && mkdir -p build/coverage
	@page=$$(mktemp); failures=$$(mktemp); trap 'rm -f $$page $$failures' EXIT; \
	scripts/with-node node --test --test-force-exit $(MEASURED_PAGE) --test-reporter=spec --test-reporter-destination=stdout \
	  $$(find web/test -name '*.test.js') >$$page 2>&1 & \
	concurrency=$$($(BIN)/python -c 'import sys; print("thread" if sys.version_info >= (3, 14) else "thread,greenlet")'); \
	parallel=0; alone=0; javascript=0; \
	FAILURES=$$failures $(MEASURED_PYTEST) -n 2 -m "parallel and not alone" $(TESTS) || parallel=$$?; \
	wait $$! || javascript=$$?; sed '/start of coverage report/,/end of coverage report/d' $$page; \
	FAILURES=$$failures $(MEASURED_PYTEST) -m "not parallel or alone" $(TESTS) || alone=$$?; \
	test $$javascript -eq 0 || sed -e '/start of coverage report/,/end of coverage report/d' -e '/failing tests:/,$$!d' $$page; \
	echo "make test: pytest exit codes $$parallel and $$alone, node --test exit code $$javascript"; \
	cat $$failures; \
	$(if $(COVERAGE),$(BIN)/python scripts/coverage_figures.py;) \
	test $$parallel -eq 0 -o $$parallel -eq 5 && test $$alone -eq 0 -o $$alone -eq 5 && test $$javascript -eq 0 && \
	test $$parallel -eq 0 -o $$alone -eq 0

test-thorough: setup-dev ## Run every suite in full, one test at a time (more than an hour)
	HARNESS_FULL=1 $(BIN)/pytest $(TESTS)

test-faults: setup-dev ## Kill, cut, fill and stall, as often as it is promised; prints each figure beside its limit (16 minutes)
	HARNESS_FULL=1 $(BIN)/pytest tests/faults tests/e2e/test_matrix.py

test-truth: setup-dev ## Plant every fault into real recordings; prints what was planted and what was found (10 minutes)
	HARNESS_FULL=1 $(BIN)/pytest tests/truth

test-security: setup-dev ## Attack sockets, names, joins and addresses, as often as it is promised; prints each figure beside its limit (8 minutes)
	HARNESS_FULL=1 $(BIN)/pytest tests/security

# How long make soak records.
MINUTES ?= 30

soak: setup-dev ## Record three people for MINUTES=30 (APPLICATION=1: in somebody else's page); prints drift, order of stamps and memory
	$(BIN)/python -m tests.faults.soak $(MINUTES) $(if $(APPLICATION),--application)

bench: setup-dev ## Measure speed and cost beside NERTC's and RecordRTC's own code, in one run (an hour and a quarter; QUICK=1: three minutes)
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

check: setup-dev ## Check format, lint, types and layers of Python and page
	scripts/check

docs: setup-dev ## Build the documents as a site: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

gallery: setup-dev ## Make the screenshots of docs/gallery.md anew
	$(BIN)/python scripts/gallery.py

lock: setup-dev ## Pin the newest versions that fit together: requirements.lock
	scripts/supply lock

audit: setup-dev ## Ask PyPI and npm for known vulnerabilities of what is pinned
	scripts/supply audit

licences: setup-dev ## List the licences of what is installed with the package
	scripts/supply licences

sbom: setup-dev ## Write bills of materials in CycloneDX: build/sbom-*.json
	scripts/supply sbom

clean: ## Remove what setup and the tools made; recordings stay
	rm -rf .venv node_modules build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Runs every time, and touches its file only where .venv is made anew.
$(INTERPRETER): FORCE
	@scripts/make-venv $(PYTHON)

.PHONY: FORCE
FORCE:

$(PYTHON_READY): $(INTERPRETER) pyproject.toml requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint requirements.lock --editable .
	@touch $@

$(TOOLS_READY): $(PYTHON_READY)
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

$(BROWSER_READY): $(PYTHON_READY)
	$(BIN)/harness browser install
	@touch $@

$(PAGE_READY): package.json package-lock.json | $(PYTHON_READY)
	scripts/with-node npm ci --loglevel=error
	@touch $@
