# The two commands of the README (demo, test) and what developers need beside them.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Tests run in parallel; one after the other those that measure how long an interrupt takes, and
# those that fill the machine, with processes, a model or a browser.
ALONE := alone or local_model
# What takes less than a minute, for while one works.
UNIT := not browser and not slow and not kernel and not local_model and not service

# The Lab extension's own tools, with the node that is in the environment.
JLPM := cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" $(CURDIR)/$(BIN)/jlpm

INSTALLED := $(VENV)/share/jupyter/labextensions/gemini-magic

.PHONY: demo test unit lab lint types bench clean

demo: $(VENV)/.demo
	$(BIN)/jupyter-gemini demo

test: $(VENV)/.dev $(VENV)/.npm
	$(BIN)/python -m tests.prepare
	$(JLPM) test
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not browser and not ($(ALONE))"
	$(BIN)/python -m pytest -q -m "not browser and ($(ALONE))"
	$(BIN)/python -m pytest -q -m browser

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n auto -m "$(UNIT)"

# Builds the Lab extension and puts it where pip put it; a page that is reloaded has it.
lab: $(VENV)/.dev $(VENV)/.npm
	$(JLPM) build:prod
	rm -rf $(INSTALLED)
	cp -r src/gemini_magic/labextension $(INSTALLED)
	cp labextension/install.json $(INSTALLED)

lint: $(VENV)/.dev $(VENV)/.npm
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(JLPM) lint

types: $(VENV)/.dev $(VENV)/.npm
	$(BIN)/mypy
	$(JLPM) types

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# pip runs only when pyproject.toml changed, so a second run needs no network.
$(VENV)/.demo: pyproject.toml
	@test -n "$(PYTHON)" || { echo "gemini_magic needs Python 3.11 or newer"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[lab,local]'
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

$(VENV)/.npm: labextension/package.json labextension/yarn.lock $(VENV)/.dev
	$(JLPM) install --immutable
	touch $@

clean:
	rm -rf $(VENV) build dist labextension/node_modules labextension/lib src/gemini_magic/labextension
