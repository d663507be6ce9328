# The workshop. `make setup run test services check bench prove web lock build clean`.
# Every target that needs the virtual environment makes it first; a second call is instant.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# A house is several processes and its tests some hundreds: what each imports is compiled once. Where
# Python may not keep that, each start takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# uv installs what the locks say, byte for byte, and never fetches a Python.
UV := UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv

# Arguments for pytest: make test ARGS="tests/core -k ladder"; FAST=1 leaves the slow ones out.
# JOBS processes share the files of tests, in the order of the run; JOBS=0 runs all in one.
ARGS ?=
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n > 4 ? 4 : n)))
PYTEST := $(BIN)/python -m pytest $(if $(FAST),-m "not slow")
SHARED_OUT := -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: help setup run test services oracle check lint types layers docs-check web-check bench prove \
	web lock build clean core-build FORCE

help:
	@echo "make setup     build everything into .venv (.venv/bin/fondaco)"
	@echo "make run       the demo house with a live market on http://127.0.0.1:8000"
	@echo "make test      every test that this machine can run (ARGS=..., FAST=1, JOBS=n)"
	@echo "make services  install PostgreSQL, Redis, mosquitto, HAProxy, Chromium and FUSE with apt"
	@echo "make check     what CI checks before the tests: lint, types, layers, docs, web build"
	@echo "make bench     measure, into bench/results.md"
	@echo "make prove     the long proofs (SCALE=small|full)"
	@echo "make web       rebuild the terminal into the package (needs Node)"
	@echo "make lock      pin the dependencies anew · make build  a wheel in dist/ · make clean"

# The core's room says how the core is built, the web's how the page is.
-include build.mk
-include web.mk

# ---- setup

setup: $(STAMPS)/install $(STAMPS)/client

$(BIN)/python:
	@tools/preflight $(PYTHON)
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/uv: requirements/uv.txt | $(BIN)/python
	@mkdir -p $(STAMPS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r $<
	@touch $@

$(STAMPS)/dependencies: requirements/dev.txt requirements/build.txt $(STAMPS)/uv
	$(UV) pip install --quiet --require-hashes -r requirements/dev.txt -r requirements/build.txt
	@touch $@

# _core.* are joined from the others by the build.
CORE_SOURCES := $(filter-out %/_core.py %/_core.pxd, \
	$(wildcard setup.py src/fondaco_build/*.py src/fondaco/core/*.py src/fondaco/core/*.pxd \
	src/fondaco/gateway/*.py src/fondaco/link/*.py))

$(STAMPS)/core: $(CORE_SOURCES) $(STAMPS)/dependencies
	@tools/preflight $(PYTHON)
	$(CORE_BUILD)
	@touch $@

$(STAMPS)/install: pyproject.toml $(STAMPS)/core
	FONDACO_CORE_BUILT=1 $(UV) pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(STAMPS)/client: clients/python/pyproject.toml $(STAMPS)/dependencies
	$(UV) pip install --quiet --no-build-isolation --no-deps --editable clients/python
	@touch $@

# ---- run, test

run: setup
	$(BIN)/fondaco demo --data var/demo $(ARGS)

# The core's tests run on both builds; the whole suite runs on the compiled one, last. Those of the
# core share nothing that is dear to make: they are shared out one by one.
CORE_TESTS := $(wildcard tests/core tests/property)
test: setup
	@echo "== the core's tests on the pure build"
	FONDACO_PURE=1 $(PYTEST) -n $(JOBS) --dist load $(CORE_TESTS) -q -p no:cacheprovider
	@echo "== all tests on the compiled build"
	$(PYTEST) $(SHARED_OUT) $(ARGS)

services:
	@tools/services

# What tests hold our statistics against: apart, as it is ten times as large as a house.
oracle: $(STAMPS)/oracle

$(STAMPS)/oracle: requirements/oracle.txt $(STAMPS)/uv
	$(PYTHON) -m venv $(VENV)/oracle
	$(UV) pip install --quiet --python $(VENV)/oracle/bin/python --require-hashes -r $<
	@touch $@

# ---- check

check: lint types layers docs-check web-check

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

docs-check: setup
	$(PYTEST) -q tests/unit/test_house_rules.py tests/docs

web-check:
	@if [ -f web/package.json ]; then tools/web_check; else echo "no web sources"; fi

# ---- measure, prove, build

bench: setup
	$(BIN)/python bench/collect.py $(ARGS)

SCALE ?= small
prove: setup
	$(BIN)/python tools/prove.py --scale $(SCALE) $(ARGS)

lock: $(STAMPS)/uv
	cd requirements && for name in uv build oracle; do \
		../$(BIN)/uv pip compile --quiet --generate-hashes --upgrade \
			--custom-compile-command "make lock" --output-file $$name.txt $$name.in; done
	$(UV) pip compile --quiet --generate-hashes --upgrade --custom-compile-command "make lock" \
		--output-file requirements/base.txt pyproject.toml
	$(UV) pip compile --quiet --generate-hashes --upgrade --custom-compile-command "make lock" \
		--all-extras --output-file requirements/dev.txt pyproject.toml clients/python/pyproject.toml

build: setup
	$(UV) build --wheel --no-build-isolation --out-dir dist
	$(UV) build --wheel --no-build-isolation --out-dir dist clients/python

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
	find src/fondaco -name '*.so' -delete
	rm -rf $(VENV)
