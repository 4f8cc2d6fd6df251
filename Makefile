# Every command sets up what it needs: a fresh machine has Python 3.11 or later and make, and nothing else.
PYTHON ?= python3
RUN := .venv/bin/

.PHONY: check test prove replay bench matrix matrix-check golden lint lock help

check: .venv/ready  ## the main job: every promise with its evidence
	@$(RUN)ondemand check

test: .venv/ready lint  ## everything a change must pass
	@$(RUN)pytest

prove: .venv/ready  ## the proofs alone
	@$(RUN)ondemand prove

replay: .venv/ready  ## every vector on the implementation, over a real broker
	@$(RUN)ondemand replay --target pulsar

bench: .venv/ready  ## the numbers of the README, with their conditions
	@$(RUN)ondemand bench

matrix: .venv/ready  ## mutants of the statement and of the cores, and which check notices each; about ten minutes
	@$(RUN)ondemand matrix

matrix-check: .venv/ready  ## the same, and nothing is written: are the tables what is made, byte for byte?
	@$(RUN)ondemand matrix --check

golden: .venv/ready  ## generated files anew; read the difference before you commit it
	@$(RUN)ondemand golden

lint: .venv/ready  ## format, rules and types
	@$(RUN)ruff format --check .
	@$(RUN)ruff check .
	@$(RUN)mypy

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile

lock:  ## pins anew; needs uv
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --extra dev --python-version 3.11 pyproject.toml -o requirements.lock

# The lock names each package with its hashes; the project itself is installed without looking for others.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11, 3.12 or 3.13 is needed; set PYTHON to one of them." if not (3, 11) <= sys.version_info[:2] < (3, 14) else 0)'
	@echo "Setting up .venv; the first time this takes a minute or two."
	@test -d .venv || $(PYTHON) -m venv .venv
	@$(RUN)pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(RUN)pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
