# `make record` and `make test` first install everything that is missing.

# The Python interpreter for .venv (3.11 or newer), for example: make record PYTHON=python3.13
# The default is the first suitable Python on PATH.
PYTHON ?=
BIN := .venv/bin
INTERPRETER := .venv/.interpreter
PYTHON_READY := .venv/.python-ready
BROWSER_READY := .venv/.browser-ready
TOOLS_READY := .venv/.tools-ready
OTHER_PLUGINS_READY := .venv/.other-plugins-ready
PAGE_READY := node_modules/.page-ready

# The tests start hundreds of Python processes. Without compiled modules, each of them starts up to twice as slowly.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev record test test-release test-thorough test-faults test-truth test-expectations test-security soak bench layouts league check docs gallery lock audit licences sbom clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-17s %s\n", $$1, $$2}' Makefile

setup: $(PYTHON_READY) $(BROWSER_READY) ## Create .venv, and install the package and Chrome

setup-dev: setup $(TOOLS_READY) $(OTHER_PLUGINS_READY) $(PAGE_READY) ## Run setup, and install the tools for tests and checks

record: setup ## Record three participants for ten seconds, and verify the file
	$(BIN)/harness record alice bob carol --recorder all --quality 720p --frame-rate 30 --seconds 10 --name standup

# Additional arguments for pytest, for example: make test TESTS="-k page"
TESTS ?=
# Where the tests keep their temporary files: $(BASETEMP)-parallel, -realtime and -alone. The default is a folder that pytest chooses.
BASETEMP ?=
# To measure coverage, run: make test COVERAGE=1
# Before Python 3.14, measuring coverage takes up to twice the CPU time, because a tracer follows every call.
COVERAGE ?=
MEASURED_PYTEST := $(if $(COVERAGE),$(BIN)/coverage run --concurrency=$$concurrency -m pytest,$(BIN)/pytest)
# pytest prints the slowest tests, and build/ keeps the duration of every test.
TIMED := --durations=20 --durations-min=3 --junitxml=build/tests
MEASURED_PAGE := $(if $(COVERAGE),--experimental-test-coverage --test-reporter=lcov --test-reporter-destination=build/coverage/page.lcov)

# The page's own tests take only seconds, and run at the same time as the first Python tests.
# All failures are printed again at the end.
# There are three groups of tests: those with the marker `parallel` keep all processors busy; those without a marker record
# in real time, and as many run at once as the processors permit; those with the marker `alone` run one at a time.
# pytest exits with code 5 if no tests are selected.
test: setup-dev ## Run every test suite in its quick form, without the tests for releases (16 to 30 minutes)
	@rm -rf build/coverage && mkdir -p build/coverage
	@page=$$(mktemp); failures=$$(mktemp); trap 'rm -f $$page $$failures' EXIT; \
	scripts/with-node node --test --test-force-exit $(MEASURED_PAGE) --test-reporter=spec --test-reporter-destination=stdout \
	  $$(find web/test -name '*.test.js') >$$page 2>&1 & \
	concurrency=$$($(BIN)/python -c 'import sys; print("thread" if sys.version_info >= (3, 14) else "thread,greenlet")'); \
	parallel=0; realtime=0; alone=0; javascript=0; \
	FAILURES=$$failures $(MEASURED_PYTEST) $(TIMED)-parallel.xml $(if $(BASETEMP),--basetemp=$(BASETEMP)-parallel) \
	  -n $$($(BIN)/python scripts/test_lanes.py parallel) -m "parallel and not alone and not release" $(TESTS) || parallel=$$?; \
	wait $$! || javascript=$$?; sed '/start of coverage report/,/end of coverage report/d' $$page; \
	lanes=$$($(BIN)/python scripts/test_lanes.py realtime); echo "make test: $$lanes tests at once record in real time"; \
	FAILURES=$$failures $(MEASURED_PYTEST) $(TIMED)-realtime.xml $(if $(BASETEMP),--basetemp=$(BASETEMP)-realtime) \
	  -n $$lanes --dist loadfile -m "not parallel and not alone and not release" $(TESTS) || realtime=$$?; \
	FAILURES=$$failures $(MEASURED_PYTEST) $(TIMED)-alone.xml $(if $(BASETEMP),--basetemp=$(BASETEMP)-alone) \
	  -m "alone and not release" $(TESTS) || alone=$$?; \
	test $$javascript -eq 0 || sed -e '/start of coverage report/,/end of coverage report/d' -e '/failing tests:/,$$!d' $$page; \
	echo "make test: pytest exit codes $$parallel, $$realtime and $$alone, node --test exit code $$javascript"; \
	cat $$failures; \
	$(if $(COVERAGE),$(BIN)/python scripts/coverage_figures.py;) \
	passed=0; for code in $$parallel $$realtime $$alone; do \
	  case $$code in 0) passed=1 ;; 5) ;; *) exit 1 ;; esac; \
	done; \
	test $$javascript -eq 0 && test $$passed -eq 1

test-release: setup-dev ## Test the packages, the commands and programs in the documents, other pytest plugins, and many combinations of options (4 minutes)
	$(BIN)/pytest -m release $(TESTS)

test-thorough: setup-dev ## Run every test suite in its full form, one test at a time (more than an hour)
	HARNESS_FULL=1 $(BIN)/pytest $(TESTS)

test-faults: setup-dev ## Run every crash, disconnect, full-disk and stall test with all its repetitions, and print each measurement with its limit (16 minutes)
	HARNESS_FULL=1 $(BIN)/pytest tests/faults tests/e2e/test_matrix.py

test-truth: setup-dev ## Insert every kind of fault into real recordings, and print which faults were detected (10 minutes)
	HARNESS_FULL=1 $(BIN)/pytest tests/truth

layouts: setup-dev ## Find synthetic participants in a thousand files that other recorders could have written (an hour; COUNT=100: 6 minutes)
	$(BIN)/python -m tests.truth.foreign_layouts --count $(or $(COUNT),1000)

test-expectations: setup-dev ## Test whether Chrome still behaves as the code expects, and remember the versions with which it does (a minute)
	$(BIN)/python -m tests.expectations.observed

test-security: setup-dev ## Run every simulated attack (by hostile clients and pages, and through hostile files and names) with all its repetitions, and print each measurement with its limit (8 minutes)
	HARNESS_FULL=1 $(BIN)/pytest tests/security

# Duration of the recording that `make soak` makes, in minutes.
MINUTES ?= 30

soak: setup-dev ## Record three participants for 30 minutes (or MINUTES=N), and print the drift, the number of out-of-order timestamps and the memory growth (APPLICATION=1: record a call in another application)
	$(BIN)/python -m tests.faults.soak $(MINUTES) $(if $(APPLICATION),--application)

bench: setup-dev ## Compare the harness's speed and CPU usage with NERTC's and RecordRTC's (75 minutes; QUICK=1: 3 minutes)
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

league: setup-dev ## Let six recorders record the same call, and compare their files and their cost (an hour; QUICK=1: 10 minutes)
	$(BIN)/python -m benchmarks.league $(if $(QUICK),--quick)

check: setup-dev ## Check formatting, lint rules, types and import layers in the Python code and the web page's code
	scripts/check

docs: setup-dev ## Build the documentation site in build/site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

gallery: setup-dev ## Take the screenshots for docs/gallery.md
	$(BIN)/python scripts/gallery.py

lock: setup-dev ## Pin the newest compatible versions in requirements.lock
	scripts/supply lock

audit: setup-dev ## List known vulnerabilities in the pinned packages from PyPI and npm
	scripts/supply audit

licences: setup-dev ## List the licenses of all packages that are installed with the harness
	scripts/supply licences

sbom: setup-dev ## Write software bills of materials (CycloneDX) to build/sbom-*.json
	scripts/supply sbom

clean: ## Remove everything that setup and the tools created, but keep recordings
	rm -rf .venv node_modules build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# This rule always runs, but its target changes only if the script creates .venv again.
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

# pytest loads each plugin that it finds, so these plugins are in a separate folder, which some tests add to PYTHONPATH.
# The tools above already include all their dependencies.
$(OTHER_PLUGINS_READY): $(TOOLS_READY) tests/plugin/other-plugins.txt
	$(BIN)/pip install --disable-pip-version-check --quiet --upgrade --no-deps --target .venv/other-plugins \
	  --requirement tests/plugin/other-plugins.txt
	@touch $@

$(BROWSER_READY): $(PYTHON_READY)
	$(BIN)/harness browser install
	@touch $@

$(PAGE_READY): package.json package-lock.json | $(PYTHON_READY)
	scripts/with-node npm ci --loglevel=error
	@touch $@
