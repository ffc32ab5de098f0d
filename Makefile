# Everything a person types. Needs Python 3.11 or newer, with venv, and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

# The first interpreter that is new enough and has venv; `make PYTHON=…` chooses another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python python3.14; do \
	command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && \
	{ command -v $$p; break; }; done)

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
TESTING := DJANGO_SETTINGS_MODULE=bridge.settings.test

.PHONY: help run test test-full lint types fmt check clean reset simulate shell psql requirements migrations docs bench figures install install-dev

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install ## Start everything and move a first batch (ONCE=1 stops after it, ARGS=… are passed on)
	@exec $(PY) -I -S bridge/embedded/launch.py $$PPID 15 - - $(PY) manage.py run $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

test: install-dev ## Run all tests (ARGS='-k name' are pytest's)
	@$(PY) -m pytest $(ARGS)

test-full: install-dev ## Run all tests, those that kill processes with larger batches
	@BRIDGE_TEST_FULL=1 $(PY) -m pytest $(ARGS)

lint: install-dev ## Check style and the directions of imports
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()'

types: install-dev ## Check types
	@$(PY) -m mypy

fmt: install-dev ## Format the code and mend what can be mended
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

check: lint types test ## lint, types, test

bench: install ## Measure Bridge beside pgbench (JSON=1 prints figures only, ARGS=--quick is short)
	@$(PY) manage.py bench $(if $(filter-out 0,$(JSON)),--json) $(ARGS)

figures: install ## Take every figure of docs/PERFORMANCE.md and docs/SCALING.md anew (hours; 50 GB of disk)
	@mkdir -p docs/figures
	@$(PY) -m benchmarks --only engine core intake latency reads hordak --output docs/figures/bench.json >/dev/null
	@$(PY) -m benchmarks.history --transfers 10000000 --keep --output docs/figures/history.json >/dev/null
	@$(PY) -m benchmarks.lists --rows 100000 10000000 --output docs/figures/lists.json >/dev/null
	@$(PY) -m benchmarks.chart docs/figures/bench.json docs/images/bench.svg
	@$(PY) -m benchmarks.chart docs/figures/history.json docs/images/history.svg
	@$(PY) -m benchmarks.report

simulate: install ## Play seeded runs with faults and crashes (SEEDS=1-100, JSON=1, ARGS='--trace 7')
	@$(PY) manage.py simulate --seeds $(or $(SEEDS),1-100) $(if $(filter-out 0,$(JSON)),--json) $(ARGS)

shell: install ## A Python shell with the models, on the running services
	@$(PY) manage.py shell

psql: install ## psql on the running database
	@$(PY) -m bridge.embedded.psql

migrations: install-dev ## Make the migrations that the models lack
	@$(PY) manage.py makemigrations

docs: install-dev ## Generate what the documents take from the code
	@$(TESTING) $(PY) manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn
	@$(TESTING) $(PY) manage.py lifecycle
	@$(TESTING) $(PY) manage.py parameters
	@$(TESTING) $(PY) manage.py blocker_docs
	@$(TESTING) $(PY) manage.py event_docs
	@$(PY) -m tests.functional.stories.book

requirements: install-dev ## Compile requirements*.txt from pyproject.toml, with hashes and without addresses
	@$(PIP) install uv
	@for extra in "requirements.txt" "requirements-dev.txt --extra dev"; do \
		$(PY) -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
			--no-emit-index-url --no-annotate pyproject.toml -o $$extra; done

clean: ## Remove the virtual environment and caches; the data stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -type d -not -path './.local/*' -prune -exec rm -rf {} +

reset: ## Delete the embedded services' data, secrets and logs (asks; YES=1 does not)
	@test -n "$(PYTHON)" || { echo "$(TOO_OLD)" >&2; exit 1; }
	@$(PYTHON) -m bridge.embedded.reset $(if $(filter-out 0,$(YES)),--yes)

install: $(VENV)/installed
install-dev: $(VENV)/installed-dev

TOO_OLD := Bridge needs Python 3.11 or newer with the venv module (on Debian: apt install python3-venv). None was \
found: install one, or name it with make PYTHON=/path/to/python3.

$(VENV)/created:
	@test -n "$(PYTHON)" || { echo "$(TOO_OLD)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) will not do. $(TOO_OLD)" >&2; exit 1; }
	@echo "Making a virtual environment with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/installed: requirements.txt | $(VENV)/created
	@echo "Installing what Bridge needs …"
	@$(PIP) install --require-hashes --no-deps -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt | $(VENV)/created
	@echo "Installing what Bridge and its tests need …"
	@$(PIP) install --require-hashes --no-deps -r requirements-dev.txt
	@touch $@ $(VENV)/installed
