# make            set up .venv and run the default workflow
# make test       set up and run the tests
# make test-s3    run the tests that need an S3 server
# make check      formatting, linting and types, as CI does
# make docs       build the documentation site in build/docs/
# make reruns     update the table of docs/reruns.md from its tests
# make goals      update the table of docs/goals.md after a change of the goals
# make messages   update tests/messages.txt after a change of the wording of messages
# make schema     update the JSON schema after a change of the typed configuration
# make lock       pin the versions of envs/*.in in envs/*.txt
# make GPU=1      like make, with TensorFlow for NVIDIA GPUs
# Options: PYTHON=python3.12, CORES=4, ARGS="--configfile workflow/config/petimages.yaml"

PYTHON ?= python3
CORES ?= all
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
LOCK := envs/requirements$(if $(GPU),-gpu,).txt
STAMP := $(VENV)/.installed-$(notdir $(basename $(LOCK)))
STAMP_DEV := $(VENV)/.installed-dev
STAMP_DOCS := $(VENV)/.installed-docs
STAMP_S3 := $(VENV)/.installed-s3
# Compile bytecode at install time. Otherwise every job would recompile TensorFlow's modules where
# PYTHONDONTWRITEBYTECODE is set. PIP_USE_PEP517 does what newer versions of pip always do; without it,
# the pip of Python 3.11 prints a deprecation warning.
PIP := env -u PYTHONDONTWRITEBYTECODE PIP_USE_PEP517=1 $(BIN)/python -m pip install --quiet --compile \
	--disable-pip-version-check
# Nor should each of the thousand programs of the tests compile Petite.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

# Snakemake and pip cache in the home folder; use .venv if that is not writable.
ifeq ($(shell test -w "$$HOME" && echo yes),)
export XDG_CACHE_HOME ?= $(CURDIR)/$(VENV)/cache
endif

.PHONY: run test test-s3 check format docs reruns goals messages schema lock clean
.DEFAULT_GOAL := run

run: $(STAMP)
	@$(BIN)/snakemake --cores $(CORES) $(ARGS)

# The slowest files come first. There are more processes than two cores, because tests that run
# Snakemake or Slurm often wait; each takes half a minute to begin.
test: $(STAMP_DEV)
ifdef ARGS
	$(PYTEST) $(ARGS)
else
	$(PYTEST) --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		tests/cluster tests/workflow tests/unit
endif

# With packages of their own, which need an older python-dateutil than the others. `make test` skips
# these tests.
test-s3: $(STAMP_S3)
	PYTHONPATH=$(VENV)/s3 $(BIN)/python -c "import s3fs, moto.server"
	PYTHONPATH=$(VENV)/s3 $(BIN)/python -m pytest tests/unit/data/test_remote.py -k s3

check: $(STAMP_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

# A link within the site that leads nowhere is a warning, and so an error.
docs: $(STAMP_DOCS)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	@echo "The site is in build/docs/index.html"

format: $(STAMP_DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Petite needs Python 3.11 to 3.13: choose one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(LOCK) pyproject.toml | $(VENV)/bin/python
	@echo "Setting up $(VENV) (takes some minutes the first time)"
	$(PIP) --requirement $(LOCK)
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMP_DEV): envs/requirements-dev.txt $(STAMP)
	$(PIP) --requirement envs/requirements-dev.txt
	@touch $@

$(STAMP_DOCS): envs/requirements-docs.txt $(STAMP)
	$(PIP) --requirement envs/requirements-docs.txt
	@touch $@

$(STAMP_S3): envs/requirements-s3.txt $(STAMP_DEV)
	rm -rf $(VENV)/s3
	$(PIP) --no-compile --no-deps --target $(VENV)/s3 --requirement envs/requirements-s3.txt
	@touch $@

reruns: $(STAMP_DEV)
	PYTHONPATH=tests $(BIN)/python tests/workflow/test_reruns.py

goals: $(STAMP_DEV)
	$(BIN)/python tests/unit/config/test_goals.py

messages: $(STAMP_DEV)
	$(BIN)/python tests/unit/test_messages.py

# Editors use the JSON schema to complete and check configuration files.
schema: $(STAMP)
	$(BIN)/python -c "from petite.config.json_schema import json_schema; print(json_schema(), end='')" \
		> workflow/schemas/config.schema.json

# uv resolves for all Python versions and platforms at once, with one version of each package.
lock: | $(VENV)/bin/python
	$(PIP) uv
	cd envs && for lock in requirements requirements-gpu requirements-dev requirements-docs requirements-s3; do \
		../$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
			--fork-strategy fewest --no-emit-index-url --no-emit-find-links \
			--custom-compile-command "make lock" $$lock.in --output-file $$lock.txt || exit 1; \
	done

clean:
	rm -rf $(VENV) .snakemake results
