# Every command sets up what it needs: a fresh machine needs only Python 3.11 and make.
PYTHON ?= python3
RUN := .venv/bin/

.PHONY: check test test-fast format lint prove replay docs bench golden matrix matrix-check agree lock help

check: .venv/ready  ## the main job: every promise with its evidence (2 minutes)
	@$(RUN)ondemand check

test: .venv/ready lint  ## everything a change must pass, on a real broker (20 minutes)
	@$(RUN)pytest

test-fast: .venv/ready  ## the tests that need no broker and little time (2 minutes)
	@$(RUN)pytest -m "not slow"

format: .venv/ready  ## format the code, and fix what can be fixed
	@$(RUN)ruff format .
	@$(RUN)ruff check --fix .

lint: .venv/ready  ## format, rules, spelling and types
	@$(RUN)ruff format --check .
	@$(RUN)ruff check .
	@$(RUN)codespell
	@$(RUN)mypy

prove: .venv/ready  ## the proofs alone
	@$(RUN)ondemand prove

replay: .venv/ready  ## every vector on the implementation, over a real broker
	@$(RUN)ondemand replay --target pulsar

docs: .venv/ready  ## the documents that are generated from the specification
	@$(RUN)ondemand docs

bench: .venv/ready  ## the figures of docs/benchmarks.md, with their conditions
	@$(RUN)ondemand bench

golden: .venv/ready  ## all generated files; read the difference before you commit it (12 minutes)
	@$(RUN)ondemand golden

matrix: .venv/ready  ## mutants of the statement and of the cores, and which check notices each (20 minutes)
	@$(RUN)ondemand matrix

matrix-check: .venv/ready  ## are the checked-in summaries current? If not, make the tables again and compare
	@$(RUN)ondemand matrix --status || $(RUN)ondemand matrix --check

agree: .venv/ready  ## the engines on protocols that are drawn at random, with TLC (2 minutes)
	@$(RUN)ondemand agree --time 120 --tlc --seed $${SEED:-0}

lock: .venv/ready  ## pin all dependencies again; needs uv
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --extra dev --python-version 3.11 pyproject.toml -o requirements.lock

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 16

# The lock names each package with its hashes; the project itself is installed without looking for others.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 is needed; set PYTHON to it." if sys.version_info[:2] != (3, 11) else 0)'
	@test -d .venv || { echo "Setting up .venv: creating the environment"; $(PYTHON) -m venv .venv; }
	@echo "Setting up .venv: installing $$(grep -c '==' requirements.lock) locked packages (one or two minutes the first time)"
	@$(RUN)pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@echo "Setting up .venv: installing this project"
	@$(RUN)pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
