# `make demo` and `make test` set up .venv by themselves; PYTHON picks the interpreter (3.11 to 3.13).
PYTHON ?= python3
BIN := .venv/bin

demo: .venv/with-train
	$(BIN)/kit demo

test: .venv/with-test
	$(BIN)/python -m pytest -q

lint: .venv/with-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/with-test
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# A stamp file a set of extras: installed again when the metadata change.
.venv/with-train: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[train]'
	touch $@

.venv/with-test: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[train,test]'
	touch $@

.PHONY: demo test lint bench
