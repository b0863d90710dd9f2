# Every target makes .venv by itself, from the locked requirements.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo screenshots run test soak check bench lock clean

help:
	@echo "make demo    a hub with demo services and traffic, live in this terminal"
	@echo "make screenshots  the pictures in docs/, taken of the demo"
	@echo "make run     the hub alone, on http://127.0.0.1:8000"
	@echo "make test    the whole test suite"
	@echo "make soak    kill the hub under load 500 times; SOAK=\"--kills 50\" for fewer"
	@echo "make check   format, lint, types, import contracts, core tests"
	@echo "make bench   how fast, beside a bare echo server; writes benchmarks/results/"
	@echo "make lock    resolve the requirements anew"

$(STAMP): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m demo $(DEMO)

screenshots: $(STAMP)
	$(BIN)/python -m demo.screenshots

run: $(STAMP)
	$(BIN)/python manage.py runhub $(RUN)

test: $(STAMP)
	$(BIN)/python -m pytest $(TEST)

soak: $(STAMP)
	PYTHONPATH=client/src $(BIN)/python -m tests.durability.soak $(SOAK)

check: $(STAMP)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	PYTHONPATH=client/src $(BIN)/lint-imports --no-cache
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/python -m pytest -q -p no:randomly tests/core tests/protocol tests/architecture --deselect tests/core/test_random_histories.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(BENCH)

# Needs uv (https://docs.astral.sh/uv/). No index address is written into the files.
UV_COMPILE := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
	--no-annotate --universal --python-version 3.11 --upgrade

lock:
	$(UV_COMPILE) pyproject.toml -o requirements.txt
	$(UV_COMPILE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .run
