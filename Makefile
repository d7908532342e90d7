# `make dev` first, or just what you want: every target makes what it needs. Nothing but python3 and make is expected;
# test installs Debian's docker-registry and skopeo where it may.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The launcher may replace .venv, so it must not run from there.
OUTSIDE := $(subst $(CURDIR)/.venv/bin:,,$(PATH))
export PATH := $(CURDIR)/.venv/bin:$(PATH)

LAUNCH = PATH="$(OUTSIDE)" python3 -I scripts/launch.py
PYTHON = .venv/bin/python -I
COMPILE = uv --no-config pip compile --quiet --universal --python-version 3.10 --generate-hashes --only-binary :all: \
  --no-annotate --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE)
EXTRAS = scan rescan audit plan check gate describe package sign attest verify seal shelve fetch release
ACTIONS = action.yml actions/*/action.yml
WORKFLOWS = .github/workflows/*.yml examples/*/.github/workflows/*.yml
FORMS = $(filter-out %/config.yml, $(wildcard .github/ISSUE_TEMPLATE/*.yml))

.PHONY: help dev python oracles system demo test lint docs lock bench scorecard conformance clean

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 16

dev: python  ## make .venv with every extra and the development tools
	@$(LAUNCH) --prepare dev .venv

python:
	@.ci/python

oracles: python
	@$(LAUNCH) --prepare oracles .cache/oracles
	@.ci/oracles

system:
	@.ci/system

demo: python  ## release a real model, verify it, and see a changed byte refused
	@python3 -I tools/demo.py

test: dev oracles system  ## run all tests
	@pytest -n 2 $(TESTS)

lint: dev  ## check style, types, layers, workflows and what `make docs` makes
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	zizmor --offline --strict-collection --persona pedantic $(ACTIONS) $(WORKFLOWS)
	actionlint $(WORKFLOWS)
	check-jsonschema --builtin-schema vendor.github-actions $(ACTIONS)
	check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	check-jsonschema --builtin-schema vendor.github-issue-forms $(FORMS)
	check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(PYTHON) tools/render.py --check

docs: dev  ## make action.yml and the tables of the READMEs from the stages
	@$(PYTHON) tools/render.py

lock: dev  ## resolve requirements/*.txt anew; UPGRADE=--upgrade takes newer versions
	$(COMPILE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	for extra in $(EXTRAS); do \
	  $(COMPILE) pyproject.toml --extra "$$extra" -c requirements/dev.txt -o "requirements/$$extra.txt"; done
	$(COMPILE) --group pyproject.toml:uv -c requirements/dev.txt -o requirements/uv.txt
	$(COMPILE) --group pyproject.toml:oracles -o requirements/oracles.txt

bench: dev system  ## measure time and memory, and write docs/benchmarks.md; takes 5 GB of disk, and 19 GB of memory or else of disk
	@.venv/bin/python tests/bench/scan.py
	@.venv/bin/python tests/bench/registry.py
	@.venv/bin/python tests/bench/setup.py
	@.venv/bin/python tests/bench/sign.py

scorecard: dev  ## compare scanners on hostile and honest files, write docs/scorecard.md, raise the tests' floors
	@PYTHONPATH=tests:tools .venv/bin/python tools/scorecard.py

conformance: dev system  ## let the other tools and registries of the field judge what we write; needs Go
	@.ci/conformance
	@PATH="$(CURDIR)/.cache/go/bin:$$PATH" pytest -m conformance tests/conformance

clean:  ## remove what the other targets made
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find scripts tests tools -name __pycache__ -prune -exec rm -rf {} +
