# `make` tells what there is. Everything runs from .venv, which `install` makes from uv.lock.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
UV_VERSION := 0.13.9

.PHONY: help install fmt check test demo bench ci
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(STAMP) ## make .venv with all that Fenceline needs
$(STAMP): pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --frozen --quiet --system-certs --compile-bytecode --python $(BIN)/python
	@touch $@

fmt: install ## write the code the way it is checked
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

check: install ## lint, types, layers
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install ## all tests that this machine can run
	@sh tests/support/install_tools.sh
	$(BIN)/python -m pytest $(ARGS)

demo: install ## the whole system on this machine, with devices on the move
	@$(BIN)/fenceline demo $(ARGS)

BENCHES = engine fence_lookup gateway latency recovery end_to_end identity desk
bench: install $(addprefix bench-,$(BENCHES)) ## measure all, about an hour; bench-NAME measures one; docs/speed.md
	$(BIN)/python -m benchmarks.page

bench-%: install
	@mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks.$* $(ARGS) > .bench-$*.json && mv .bench-$*.json benchmarks/results/$*.json

ci: check ## what CI runs: the checks, and every test, also those on a real Apache Kafka
	@$(MAKE) --no-print-directory test ARGS="--kafka --durations=15"
