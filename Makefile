PY ?= python3.11
PY := $(shell command -v $(PY) 2>/dev/null || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock

# Many short processes run here, so each file is compiled once, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install lock demo up test lint types check bench schema screenshots clean telemetry

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## make .venv from requirements.lock

$(VENV)/.installed: $(LOCK) pyproject.toml
	@test -x $(BIN)/python || $(PY) -m venv $(VENV)
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' $(LOCK))"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

lock: ## resolve pyproject.toml into requirements.lock
	@test -x $(BIN)/uv || { $(PY) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@$(BIN)/uv pip compile pyproject.toml --group dev --python-version 3.11 --universal \
	  --generate-hashes --no-emit-index-url --no-annotate --quiet \
	  --custom-compile-command 'make lock' -o $(LOCK)

demo: install ## run a real mission on a real sandbox, and take it back
	@$(BIN)/aicp demo

up: install ## the same system for real use (data in .aicp/)
	@$(BIN)/aicp up

check: install ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/basedpyright --level error

test: check ## the whole suite
	@scripts/debian.sh
	@$(BIN)/pytest -n 2

bench: install ## side-by-side benchmarks, as ratios
	@$(BIN)/python -m bench

schema: install ## what is made from the schema file: its lock file and row types
	@$(BIN)/python scripts/schema.py

telemetry: install ## what is made from the event catalogue: its page
	@$(BIN)/aicp telemetry generate

screenshots: install ## the console's key screens, in Chromium
	@scripts/debian.sh chromium
	@$(BIN)/python scripts/screenshots.py

clean: ## remove what make made
	@rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist
