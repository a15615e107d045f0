# The two commands: `make repro` and `make test`. Each sets up what it needs; `make help` lists the rest.

PYTHON ?= python3
READY := .venv/.ready
# Stages start `python`, so the venv comes first on their PATH; `python -m` works in a moved folder too.
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m

.PHONY: repro init test setup experiments tables table lint lock profile clean help

repro: $(READY)  ## Set up, run what is not up to date, print the result table
	@$(RUN) tools.recover
	@$(RUN) tools.check
	@$(RUN) tools.prune
	@$(RUN) tools.refresh
	@$(RUN) tools.repro
	@$(RUN) tools.table

init: $(READY)  ## Set up for your own pictures: make init IMAGES=FOLDER TASKS=FOLDER PROFILE=gpu FROM=timm:NAME
	@$(RUN) sdr init --images "$(IMAGES)" $(if $(TASKS),--tasks "$(TASKS)") $(if $(PROFILE),--profile "$(PROFILE)") $(if $(FROM),--from "$(FROM)") $(if $(FORCE),--force)

test: lint  ## Set up, lint and run the tests, a file a core; ARGS="-m quick" leaves out the long files
	@$(RUN) pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

setup: $(READY)  ## Make .venv and install the packages of requirements.lock

$(READY): requirements.lock
	@$(PYTHON) tools/bootstrap.py

# A venv whose Python is gone (an upgrade of the system, a copied folder) is made again.
ifneq ($(shell .venv/bin/python -c 'print(1)' 2>/dev/null),1)
.PHONY: $(READY)
endif

experiments: $(READY)  ## Run a set of experiments: make experiments SET=table3 JOBS=2
	@$(RUN) tools.experiments "$(SET)" $(if $(JOBS),--jobs $(JOBS))

tables: $(READY)  ## Make gain, verdicts and the page of the experiments from their rows
	@$(RUN) tools.tables

table: $(READY)  ## Print the result table of the last run
	@$(RUN) tools.table

lint: $(READY)  ## Check the style, the format and the types of the code
	@$(RUN) ruff check --quiet .
	@$(RUN) ruff format --quiet --check . || { echo "not formatted: \`.venv/bin/ruff format .\` does it"; exit 1; }
	@$(RUN) mypy --no-error-summary

lock: $(READY)  ## Resolve pyproject.toml anew into requirements.lock
	@$(RUN) tools.lock

profile: $(READY)  ## Merge a profile into params.yaml: make profile P=gpu; P=default goes back
	@$(RUN) tools.use_profile "$(P)" $(if $(FORCE),--force)

clean:  ## Remove results and caches; DVC's cache stays, so `make repro` restores the results
	rm -rf artifacts report report-experiments .scratch .pytest_cache .ruff_cache .hypothesis
	find sdr stages tools tests -name __pycache__ -prune -exec rm -rf {} +

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
