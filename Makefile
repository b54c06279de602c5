# make setup     virtual environment in .venv, the package in it (onedl line)
# make demo      a detector of a folder of pictures, in five minutes: work_dirs/demo
# make lint      style, and the direction of imports
# make test      the same and the fast tests
# make test-all  the same and all tests
# make docs      the documentation as a site: site/html
#
# PYTHON=python3.12 make setup takes another interpreter; remove .venv to change it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
BIN := .venv/bin
# Written last: an interrupted installation is taken up again. The demo needs less than
# the tests.
INSTALLED := .venv/.installed
TESTABLE := .venv/.testable
DOCUMENTABLE := .venv/.documentable
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# A process for each core; one that has finished takes over tests of another.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal
DATA := data/toys
DEMO := work_dirs/demo

.PHONY: setup demo test test-all lint docs

setup: $(TESTABLE)

$(INSTALLED): pyproject.toml setup.py constraints.txt
	@echo "Installing into .venv: a few minutes the first time"
	$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(PIP) install --constraint constraints.txt torch
	$(PIP) install --constraint constraints.txt --editable '.[onedl]'
	touch $@

$(TESTABLE): $(INSTALLED)
	$(PIP) install --constraint constraints.txt --editable '.[onedl,test]'
# Apart, for the tests of TimmBackbone and of heat maps alone: a torchvision for another
# build of PyTorch would stop every training. scipy comes with MMDetection.
	$(PIP) install --constraint constraints.txt --no-deps --upgrade \
		--target .venv/timm timm torchvision \
		grad-cam ttach scikit-learn joblib cloudpickle narwhals threadpoolctl
	touch $@

$(DOCUMENTABLE): $(INSTALLED)
	$(PIP) install --constraint constraints.txt --editable '.[onedl,docs]'
	touch $@

# What people do with pictures of their own, but for the pictures: toys are classes that
# the weights of the package have never seen.
demo: $(INSTALLED)
	rm -rf $(DEMO)
	$(BIN)/m2det scenes $(DATA) --collection toys --force \
		--num-train 200 --num-val 60 --num-test 60
	$(BIN)/m2det train --data $(DATA) --work-dir $(DEMO) --image-size 128 --epochs 20 \
		--no-report
	$(BIN)/m2det report $(DEMO) --split test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

test: lint
	$(PYTEST) -m "not slow"

test-all: lint
	$(PYTEST)

docs: $(DOCUMENTABLE)
	$(BIN)/python docs/website/build.py
