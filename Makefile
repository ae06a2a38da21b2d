# Two commands matter: `make demo` and `make test`. Everything is installed into .venv.
# `make test` leaves out what is marked slow: what starts processes or a browser, or computes long.
# `make test-fast` also leaves out the files in FULL, which compile, compose or read most: the ascent,
# the executor and its cache, operations, networks, training, studies, conf and docs.
PYTHON ?= python3
RUN := .venv/bin/python

.PHONY: setup demo test test-fast test-slow test-importers fuzz cache-faults chaos lint docs notebooks bench lock

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@echo "installing into .venv: some minutes"
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: setup
	$(RUN) -m sweeps -m experiment=demo

WORKERS ?= auto
FULL := tests/fvjax/ops tests/fvjax/optimization tests/fvjax/training \
	tests/sweeps/execution tests/sweeps/planning \
	tests/sweeps/launcher tests/sweeps/storage/test_directory_lock.py tests/sweeps/studies \
	tests/sweeps/test_retrieve.py tests/sweeps/config tests/docs tests/fvjax/models \
	tests/fvjax/parameterizations tests/fvjax/data tests/sweeps/test_convert.py \
	tests/sweeps/results/test_report.py tests/fvjax/metrics/test_ground_truth.py
PYTEST := $(RUN) -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile --durations 20
unexport PYTHONDONTWRITEBYTECODE # processes of tests load what was compiled

test: setup
	$(PYTEST) -m "not slow"

test-fast: setup
	$(PYTEST) -m "not slow" $(FULL:%=--ignore=%)

# xdist's own order is by number of tests, which puts long files of few tests last.
test-slow: setup
	$(PYTEST) --no-loadscope-reorder -m slow

# Networks of PyTorch and Keras against fvjax's imports of them. Their packages are large, so `setup` leaves them out.
TORCH ?= torch>=2.13
test-importers: setup
	$(RUN) -m pip install --quiet --disable-pip-version-check -c requirements.lock '$(TORCH)' --editable '.[torch,keras]'
	$(PYTEST) -m slow tests/slow/test_torch_import.py tests/slow/test_torch_operators.py tests/slow/test_keras.py \
		'tests/slow/test_notebooks.py::test_a_notebook_runs_and_shows_what_its_stored_copy_shows[pytorch_network]'

# Hostile files for every reader; writes a table into docs/reliability.md (half an hour).
INPUTS ?= 100000
fuzz: setup
	PYTHONPATH=tests $(RUN) -W ignore -m fuzz --inputs $(INPUTS)

# Faults of the cache, five times each; writes a table into docs/reliability.md.
cache-faults: setup
	$(RUN) tests/cache_faults.py

lint: setup
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	.venv/bin/lint-imports

docs: setup
	$(RUN) -m pip install --quiet --disable-pip-version-check -c requirements.lock --editable '.[docs]'
	.venv/bin/mkdocs build --strict

# Executes the notebooks and keeps what their cells show: the site shows it. One needs PyTorch.
notebooks: setup
	PATH=$(CURDIR)/.venv/bin:$$PATH jupyter nbconvert --to notebook --execute --inplace examples/notebooks/*.ipynb

# lucent pins an old kornia: --no-deps. It imports torchvision, which timm brings.
bench: setup
	$(RUN) -m pip install --quiet -c requirements.lock --editable '.[bench]'
	$(RUN) -m pip install --quiet --no-deps torch-lucent==0.1.8
	$(RUN) benchmarks/speed/against_torch.py

# Provokes every fault of a sweep and writes the table of docs/reliability.md; some faults need root.
chaos: setup
	$(RUN) benchmarks/reliability/chaos.py

lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-header --no-annotate -o requirements.lock
