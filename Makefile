# Two commands do everything: `make trace` runs the main job on the lab, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
SEED ?= 0
WORKERS ?= auto
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LAB := runs/lab-$(SEED)
RUN := runs/trace-$(SEED)

export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false

.PHONY: trace test test-slow test-slurm lint bench clean help

help:  ## say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "neurotrace needs Python >= 3.11, got " + sys.version'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[dev]'
	touch $@

trace: $(STAMP)  ## pre-train the lab model, capture, score, trace, report
	$(BIN)/python -m neurotrace.lab --preset default --seed $(SEED) --out $(LAB)
	$(BIN)/python -m neurotrace.trace --source $(LAB) --out $(RUN)

test: $(STAMP)  ## every test that ends within minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-slow: $(STAMP)  ## the counted campaigns: lab acceptance over three seeds, two hundred faults
	$(BIN)/python -m pytest -m slow --durations=0

test-slurm: $(STAMP)  ## jobs on a real SLURM of one machine: Debian's slurm-wlm and munge, as root
	$(BIN)/python tests/slurm/cluster.py $(BIN)/python -m pytest -m slurm tests/slurm --durations=0

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

bench: $(STAMP)  ## speed as ratios, measured side by side
	for b in average_precision scores scoring sparse capture memory neighbours similarity latent_concepts executors kept flat scale; do $(BIN)/python -m benchmarks.$$b || exit 1; done

clean:  ## remove the environment and the caches; runs stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
