.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help: ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(BIN)/.run: pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Coursecast into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(BIN)/.dev: $(BIN)/.run requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

run: $(BIN)/.run ## serve on http://127.0.0.1:8000, with its own Postgres and Redis
	@exec $(BIN)/coursecast up

demo-llm: $(BIN)/.run ## the same with a made-up model that writes slowly: drafts on the page without a key
	@exec $(BIN)/python -m tests.openai_server.demo

# Tests wait more than they compute, so three processes suit two cores; each has its own Postgres and Redis.
# A module stays in one process: its tests share its servers.
test: $(BIN)/.dev ## run the tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

lint: $(BIN)/.dev ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/.dev ## check types, strictly
	$(BIN)/mypy

bench: $(BIN)/.dev ## measure, and write the tables of docs/benchmarks.md
	$(BIN)/python -m tests.bench

soak: $(BIN)/.dev ## the big loads
	$(BIN)/python -m tests.bench --soak

docs: $(BIN)/.dev ## fill the generated tables of the documents
	$(BIN)/python docs/tools/fill.py

lock: $(BIN)/.dev ## write the lock files anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --no-annotate --extra dev pyproject.toml -o requirements-dev.lock

clean: ## remove what was built here; courses stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help run demo-llm test lint types bench soak docs lock clean
