# make setup     virtual environment in .venv, the package in it (onedl line)
# make demo      scenes, training, test, and a picture: work_dirs/demo
# make lint      style, and the direction of imports
# make test      the same and the fast tests
# make test-all  the same and all tests
#
# PYTHON=python3.12 make setup takes another interpreter; remove .venv to change it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
BIN := .venv/bin
# Written last: an interrupted installation is taken up again.
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# A process for each core; one that has finished takes over tests of another.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal
CONFIG := m2det_r18_scenes
SCENES := data/scenes
DEMO := work_dirs/demo

.PHONY: setup demo test test-all lint

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml setup.py constraints.txt
	@echo "Installing into .venv: a few minutes the first time"
	$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(PIP) install --constraint constraints.txt torch
	$(PIP) install --constraint constraints.txt --editable '.[onedl,test]'
	touch $@

demo: setup
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
	$(BIN)/m2det scenes $(SCENES) --force
	$(BIN)/m2det train $(CONFIG) --work-dir $(DEMO)/train
	$(BIN)/m2det test $(CONFIG) "$$(cat $(DEMO)/train/last_checkpoint)" \
		--work-dir $(DEMO)/test \
		--cfg-options test_evaluator.outfile_prefix=$(DEMO)/results \
		| tee $(DEMO)/test.txt
	$(BIN)/m2det draw $(SCENES)/annotations/val.json $(DEMO)/results.bbox.json \
		$(SCENES)/val --out $(DEMO)/comparison.png
	@echo
	@echo "$$(tail -n 1 $(DEMO)/test.txt)"
	@echo "Picture: $(DEMO)/comparison.png"
	@echo "Log:     $$(ls $(DEMO)/train/*/*.log)"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

test: lint
	$(PYTEST) -m "not slow"

test-all: lint
	$(PYTEST)
