# Two commands matter: `make demo` and `make test`. Everything is installed into .venv.
PYTHON ?= python3
RUN := .venv/bin/python

.PHONY: setup demo test lint bench lock

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: setup
	$(RUN) -m sweeps -m experiment=demo

test: setup
	$(RUN) -m pytest

lint: setup
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	.venv/bin/lint-imports

# lucent pins an old kornia and wants torchvision, which its InceptionV1 does not need: --no-deps.
bench: setup
	$(RUN) -m pip install --quiet -c requirements.lock --editable '.[bench]'
	$(RUN) -m pip install --quiet --no-deps torch-lucent==0.1.8
	$(RUN) benchmarks/speed/batch_sizes.py
	$(RUN) benchmarks/speed/against_torch.py

lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-header --no-annotate -o requirements.lock
