# What the project can do. Every target sets up what it needs; Python 3.11 or 3.12 on Linux x86-64 is enough for `up`
# and `test`. Nothing is installed outside ./.venv, except by `check` run as root (see .ci/prepare).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up test check bench soak audit isolation-mutants pictures shell fmt lock setup setup-dev \
        check-tools check-style check-types check-contracts check-migrations check-widget check-licences check-tests

BIN := .venv/bin
APPS := tenants widgets knowledge billing meetings
TYPED := platform/config platform/kernel platform/ai $(APPS) manage.py
# The apps are top-level packages, and so is what lies in platform/ (docs/decisions/0001).
export PYTHONPATH := $(CURDIR):$(CURDIR)/platform
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

digest = $(shell sha256sum $(1) | cut -c1-16)
RUNTIME := .venv/.runtime-$(call digest,requirements.lock)
DEVELOPMENT := .venv/.development-$(call digest,requirements-dev.lock)

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 19

up: $(RUNTIME) ## start everything and print where it is; Ctrl-C stops it
	@exec $(BIN)/python manage.py up

test: $(DEVELOPMENT) ## run the Python tests
	$(BIN)/pytest -n 2 -m "not browser and not build and not live"

# One after the other, also under make -j: they are ordered from quick to slow.
check: check-tools ## everything that CI runs: style, types, contracts, widget, licences, all tests, coverage
	$(MAKE) check-style
	$(MAKE) check-types
	$(MAKE) check-contracts
	$(MAKE) check-migrations
	$(MAKE) check-widget
	$(MAKE) check-licences
	$(MAKE) check-tests

bench: $(DEVELOPMENT) ## the goals of benchmarks/, each against a reference measured in the same run
	$(BIN)/python -m benchmarks

soak: $(DEVELOPMENT) ## the long ones: races, faults, thousands of sockets
	$(BIN)/python -m benchmarks.soak

audit: $(DEVELOPMENT) ## known vulnerabilities of what is installed (needs the network)
	$(BIN)/uv tool run pip-audit --requirement requirements.lock --require-hashes --no-deps --disable-pip
	npm --prefix widgets/embed audit

pictures: $(DEVELOPMENT) ## take the README's pictures from a fresh demo (needs Chromium)
	$(BIN)/python docs/pictures/take.py

isolation-mutants: $(DEVELOPMENT) ## weaken each guard between tenants in turn; a behavioural test must notice
	$(BIN)/python -m tests.isolation.mutants

shell: $(RUNTIME) ## a Python shell beside a running copy
	@exec $(BIN)/python manage.py shell

fmt: $(DEVELOPMENT) ## format the code and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEVELOPMENT) ## make the lock files from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

setup: $(RUNTIME)
setup-dev: $(DEVELOPMENT)

# A stamp is named after the lock's content: another branch or an edited lock installs anew, an untouched one does
# not. It is made last, so that an interrupted installation is taken up again.
$(RUNTIME):
	@.ci/venv
	@echo "Installing what requirements.lock names (the first time takes a minute) ..."
	@$(BIN)/pip install -q --require-hashes --no-deps -r requirements.lock
	@rm -f .venv/.runtime-* && touch $@

$(DEVELOPMENT):
	@.ci/venv
	@echo "Installing what requirements-dev.lock names (the first time takes a minute) ..."
	@$(BIN)/pip install -q --require-hashes --no-deps -r requirements-dev.lock
	@rm -f .venv/.development-* .venv/.runtime-* && touch $@ $(RUNTIME)

check-tools: $(DEVELOPMENT)
	@.ci/prepare

check-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types:
	$(BIN)/mypy $(TYPED)

check-contracts:
	$(BIN)/lint-imports

# The models are compared with the migrations on disk; no database is needed, and none is waited for.
check-migrations:
	FRONTDESK_HOME=$(CURDIR)/.check DB_CONNECT_TIMEOUT_S=1 $(BIN)/python -W ignore::RuntimeWarning \
	    manage.py makemigrations --check --dry-run

check-widget:
	npm --prefix widgets/embed run check

# What is under the GPL or AGPL alone may not be part of a product that is linked with it; the LGPL may.
check-licences:
	@$(BIN)/pip-licenses --from=mixed --format=csv > .check/licences.csv
	@if grep -vE 'Lesser|LGPL| OR ' .check/licences.csv | grep -E 'GPL|GNU (Affero )?General Public'; then \
	    echo "The packages above are under the GPL or AGPL: they cannot be dependencies." >&2; exit 1; fi
	@echo "Licences: $$(($$(wc -l < .check/licences.csv) - 1)) packages, none under the GPL or AGPL."

COVER := --cov=platform $(APPS:%=--cov=%) --cov-report=
check-tests: export COVERAGE_FILE := $(CURDIR)/.check/coverage
# The browser has a run of its own: Playwright keeps an event loop running that async tests cannot share. The live tests
# wait for processes most of the time, so they run beside it, and what they print follows. Both look at processes that
# they start, so only the first run measures coverage.
check-tests:
	rm -f .check/coverage*
	$(BIN)/pytest -n 2 -p tests.no_skips -m "not browser and not build and not live" --durations=15 $(COVER)
	@$(BIN)/pytest -p tests.no_skips -m "live and not browser" --durations=5 > .check/live.log 2>&1 & live=$$!; \
	$(BIN)/pytest -p tests.no_skips -m "browser or build" --durations=5; browser=$$?; \
	wait $$live; live=$$?; cat .check/live.log; test $$live -eq 0 && test $$browser -eq 0
	$(BIN)/coverage report --skip-covered --fail-under=90
