# Needs Python >= 3.11 with pip and venv, git, and make; everything else goes into $(VENV). `make help` lists the targets.

PORT ?= 8000
VENV ?= .venv
# The Python that makes the environment; by default the first one of at least 3.11 that is found.
PYTHON ?=

BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --build-constraints requirements-dev.txt --editable .
# Stamps: what is in the environment, and since when. An environment for development serves the demo, too.
DEV := $(VENV)/.installed-dev
DEMO := $(if $(wildcard $(DEV)),$(DEV),$(VENV)/.installed-demo)
INPUTS := pyproject.toml requirements-dev.txt hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-matrix test-all check docs bench bench-check lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(DEMO) ## Serve examples/demo.py on port 8000, or PORT=8123
	@PORT=$(PORT) $(BIN)/python examples/demo.py

test: $(DEV) ## Run the suite with branch coverage (with CI=true nothing may skip, and 100 % is asked for)
	@rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest -n auto --dist worksteal $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report $(if $(filter true 1 yes,$(CI)),,--fail-under=0)

test-fast: $(DEV) ## Run what needs no server, no browser, no build and no framework, with few examples for properties (under a minute)
	$(BIN)/python -m pytest -n auto --dist worksteal --hypothesis-profile fast \
		-m "not servers and not browser and not slow" \
		--ignore tests/servers --ignore tests/browser --ignore tests/frameworks $(ARGS)  # nothing there is fast

test-matrix: $(DEV) ## Run every check on every server, behind the whole stack, and print the table (two minutes)
	$(BIN)/python -m pytest -n auto --dist loadfile -m matrix $(ARGS)

test-all: ## Run the whole suite on each Python from 3.11 to 3.13 that is found
	@found=; \
	for version in 3.11 3.12 3.13; do \
		for python in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version*/bin/python; do \
			"$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
			found="$$found $$version"; \
			echo "== Python $$version ($$python)"; \
			$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON="$$python" || exit 1; \
			break; \
		done; \
	done; \
	test -n "$$found" || { echo "No Python from 3.11 to 3.13 was found." >&2; exit 1; }; \
	echo "== passed on Python$$found"

check: $(DEV) ## Lint, format, types, and the import of each room; fast, without network
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	@for room in middlewares/[a-z]*/; do \
		name=middlewares.$$(basename $$room); \
		$(BIN)/python -W error -c "import $$name" && echo "import $$name" || exit 1; \
	done

docs: $(DEV) ## Build the documentation into site/; a warning is an error
	@mkdir -p build
	@$(BIN)/zensical build --strict --clean >build/docs.log 2>&1; code=$$?; cat build/docs.log; exit $$code
	@! grep -q '^griffe:' build/docs.log  # which --strict does not count

bench: $(DEV) ## Measure the rooms against their peers, in one interleaved run, and write docs/performance.md (under ten minutes)
	$(BIN)/python -m benchmarks --write $(ARGS)

bench-check: $(DEV) ## Count what each room does per request, and compare it with benchmarks/baseline.json (seconds; no timing)
	$(BIN)/python -m benchmarks.check $(ARGS)

lock: $(BIN)/uv ## Write requirements-dev.txt anew from pyproject.toml (ARGS=--upgrade for newer versions)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		--group dev --all-extras pyproject.toml --output-file requirements-dev.txt $(ARGS)

clean: ## Remove what make made: environments, caches, builds
	rm -rf .venv .venv-3.* .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist htmlcov site .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): $(INPUTS) | $(BIN)/uv
	@echo "Installing everything that development needs into $(VENV) ..."
	@$(INSTALL) --requirements requirements-dev.txt
	@touch $@

$(VENV)/.installed-demo: $(INPUTS) | $(BIN)/uv
	@echo "Installing what the demo needs into $(VENV) ..."
	@$(INSTALL) --group demo --constraints requirements-dev.txt
	@touch $@

$(BIN)/uv:
	@for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python3.14 python); do \
		"$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "Creating $(VENV) with $$("$$python" --version) ..."; \
		"$$python" -m venv --clear $(VENV) \
			&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1" uv; \
		exit; \
	done; \
	echo "$(if $(PYTHON),$(PYTHON) is not,There is no) Python of at least 3.11 with pip and venv." >&2; \
	echo "Install one (on Debian and Ubuntu: python3 and python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1
