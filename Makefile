# Everything a contributor or CI runs. `make help` lists it; every target sets
# up what it needs and does nothing twice (stamps in .venv/.stamps).
#
# Variables: PYTHON=python3.12 (which Python `.venv` is made of), ONCE=1 (demo),
# PYTEST_ARGS="-k wheel", WORKERS=0 (tests one at a time), BENCH_ARGS="--help",
# NATIVE=0 (leave the Rust engine out).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV ?= .venv
PYTHON ?=
NATIVE ?= 1
MINUTES ?= 30
SEED ?= 1
# Most tests wait for a process: of five folders, three at a time took 275 s on two cores, two 297;
# of all tests no less. tests/sharing.py says which stay together.
WORKERS ?= 3
export VENV PYTHON NATIVE
# Without bytecode on disk, every program that a test starts compiles all it imports anew.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true

BIN := $(abspath $(VENV))/bin
PY := $(BIN)/python
STAMPS := $(VENV)/.stamps
# One folder and one set of flags for the crate's tests and checks: what they share is compiled once.
STRICT := RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=native/target/strict
CARGO := $(if $(filter 0,$(NATIVE)),,$(shell command -v cargo))

NATIVE_SOURCES := native/Cargo.toml native/Cargo.lock native/build.rs native/link_order.ld $(shell find native/src -name '*.rs')
# Its own stamp with and without cargo: installing Rust later is noticed.
NATIVE_STAMP := $(STAMPS)/$(if $(CARGO),native,without-native)
# The dashboard's pages, where Node.js >= 20.19 is: shipped in the wheel, not committed.
NPM := $(shell node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && command -v npm)
PAGES := clarity_otel/web/static/index.html
NODE_MODULES := dashboard/node_modules/.package-lock.json
PAGES_SOURCES := $(wildcard dashboard/*.*) $(shell find dashboard/src dashboard/plugins -type f)
# Each knows `--check`: fail when the committed file is not what it would write. The manifests
# of Kubernetes hold what the others write, so they come last.
GENERATORS := $(if $(wildcard clarity_otel/docs_tables.py),clarity_otel.docs_tables) \
  clarity_otel.masking.generate clarity_otel.masking.docs clarity_otel.metrics.page \
  clarity_otel.metrics.dashboard clarity_otel.stack.generate clarity_otel.stack.alerts.generate \
  clarity_otel.stack.grafana.generate clarity_otel.stack.scaling_page \
  clarity_otel.stack.kubernetes tools.third_party tests.compat.results tests.reliability.page

.DEFAULT_GOAL := help

##@ For everybody
.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(NATIVE_STAMP) redis dashboard ## install all that the other targets need, into .venv
	@echo "Ready: $$($(PY) --version), $(if $(CARGO),native engine,sdk engine only). Next: make demo, make test, make check"

.PHONY: demo
demo: $(NATIVE_STAMP) redis dashboard ## run the example shop instrumented, end at its dashboard (ONCE=1: unattended)
	@$(PY) -m examples.demo $(if $(filter-out 0 false no,$(ONCE)),--once)

.PHONY: dashboard
ifneq ($(NPM),)
dashboard: $(PAGES) ## build the dashboard's pages, with Node.js
else
dashboard:
	@echo "==> The dashboard's pages are not built: install Node.js >= 20.19 for them; the API is served without"
endif

.PHONY: bench
bench: $(NATIVE_STAMP) redis ## measure the cost per request, instrumented beside bare
	@$(PY) -m benchmarks $(BENCH_ARGS)

##@ Before a commit
.PHONY: test
test: $(NATIVE_STAMP) redis prometheus chromium dashboard test-rust ## all tests: Rust, unit, integration, packaging
	@$(BIN)/pytest -n $(WORKERS) $(PYTEST_ARGS)

.PHONY: test-quick
test-quick: $(NATIVE_STAMP) redis dashboard ## the Python tests that take no more than seconds
	@$(BIN)/pytest -n $(WORKERS) -m "not slow and not backend" $(PYTEST_ARGS)

.PHONY: test-stack
test-stack: $(NATIVE_STAMP) redis dashboard ## the real stack (Collector to Alertmanager) under the example's load
	@$(BIN)/pytest tests/stack/test_stack.py --verbose --durations=5 $(PYTEST_ARGS)

.PHONY: compat
compat: $(NATIVE_STAMP) redis ## other libraries' own tests, bare and instrumented (COMPAT_ARGS=httpx)
	@$(PY) -m tests.compat --write $(COMPAT_ARGS)

.PHONY: matrix
matrix: $(NATIVE_STAMP) redis ## old and new versions of the libraries: the same spans? (after test-matrix)
	@$(PY) -m tests.compat.versions --write $(MATRIX_ARGS)

.PHONY: reliability
reliability: $(NATIVE_STAMP) ## every fault and every end in its long form (half an hour), kept for docs/reliability.md
	@CLARITY_RELIABILITY=long $(BIN)/pytest tests/reliability --verbose $(PYTEST_ARGS)

.PHONY: soak
soak: $(NATIVE_STAMP) ## random faults under load for MINUTES=30 by SEED=1: nothing lost, memory flat
	@$(PY) -m tests.reliability.soak --minutes $(MINUTES) --seed $(SEED) --keep

.PHONY: test-rust
test-rust:
ifneq ($(CARGO),)
	@echo "==> Testing the crate without Python, warnings are errors"
	@$(STRICT) cargo test --quiet --locked --manifest-path native/Cargo.toml --no-default-features
else
	@echo "==> The crate is not tested: no cargo"
endif

.PHONY: loom
loom: ## the hand-over between threads in every order of their steps (models below native/src)
ifneq ($(CARGO),)
	@$(STRICT) cargo test --quiet --locked --manifest-path native/Cargo.toml --no-default-features --features models --lib models::
else
	@echo "==> The models are not run: no cargo"
endif

.PHONY: test-matrix
test-matrix: ## the quick tests on every other supported Python found here
	@tools/test-matrix.sh

.PHONY: fuzz
fuzz: SECONDS ?= 60
fuzz: $(NATIVE_STAMP) ## mutated input for all that reads input from outside: SECONDS=600, FUZZ_ARGS="--target masking"
	@$(PY) -m tests.fuzz --seconds $(SECONDS) --keep $(FUZZ_ARGS)
ifneq ($(CARGO),)
	@echo "==> Segments of the spool"
	@FUZZ_ROUNDS=20000 $(STRICT) cargo test --quiet --locked --manifest-path native/Cargo.toml --no-default-features --lib spool::tests::a_segment_with_bytes_changed
endif

.PHONY: fuzz-guided
fuzz-guided: SECONDS ?= 600
fuzz-guided: $(NATIVE_STAMP) ## the same, led by the Rust code's own coverage (atheris; FUZZ_ARGS="--target otlp-traces")
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/uv pip install --quiet --python $(PY) --only-binary :all: atheris
	@$(PY) -m tests.fuzz.guided --seconds $(SECONDS) --keep $(FUZZ_ARGS)

.PHONY: check
check: check-python check-rust check-dashboard check-generated check-wheel audit ## format, lint, types, crate, pages, generated files, wheel, audit
	@echo "All checks passed."

.PHONY: check-python
# mypy sees the packages where an install puts them: entry_points/ inside.
check-python: VIEW := $(VENV)/mypy
check-python: $(NATIVE_STAMP)
	@echo "==> ruff"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@echo "==> mypy --strict"
	@rm -rf $(VIEW) && mkdir -p $(VIEW)/clarity_otel
	@ln -s $(CURDIR)/clarity_otel/* $(CURDIR)/entry_points $(VIEW)/clarity_otel/
	@cd $(VIEW) && $(BIN)/mypy --config-file $(CURDIR)/pyproject.toml \
	  --cache-dir $(CURDIR)/.mypy_cache clarity_otel

.PHONY: check-rust
check-rust: $(NATIVE_STAMP) test-rust
ifneq ($(CARGO),)
	@echo "==> cargo fmt, cargo clippy with and without Python"
	@cargo fmt --manifest-path native/Cargo.toml --check
	@$(STRICT) PYO3_PYTHON=$(PY) cargo clippy --quiet --locked --manifest-path native/Cargo.toml --all-targets -- -D warnings
	@$(STRICT) cargo clippy --quiet --locked --manifest-path native/Cargo.toml --all-targets --no-default-features -- -D warnings
else
	@echo "==> The crate is not checked: no cargo"
endif

.PHONY: check-dashboard
ifneq ($(NPM),)
check-dashboard: $(NODE_MODULES)
	@echo "==> biome, tsc --strict, vitest"
	@cd dashboard && npm run --silent check
else
check-dashboard:
	@echo "==> The dashboard's pages are not checked: no Node.js >= 20.19"
endif

.PHONY: check-generated
check-generated: $(NATIVE_STAMP) dashboard
	@echo "==> Generated files are what their generators write"
	@for module in $(GENERATORS); do $(PY) -m $$module --check; done

.PHONY: check-wheel
check-wheel: $(NATIVE_STAMP) dashboard
	@echo "==> Wheel: content, and an install into a clean environment"
	@$(BIN)/pytest tests/packaging/test_wheel.py --quiet

.PHONY: audit
audit: $(NATIVE_STAMP) ## known vulnerabilities of all that the lock files name, where their services are reached
	@echo "==> Known vulnerabilities"
	@$(PY) -m tools.audit

.PHONY: generate
generate: $(NATIVE_STAMP) dashboard ## write the generated files (tables of settings, metrics...) anew
	@for module in $(GENERATORS); do $(PY) -m $$module; done

##@ Release
.PHONY: sbom
sbom: $(NATIVE_STAMP) dashboard ## write sbom.cdx.json, and the notices of what a wheel ships of others
	@$(PY) -m tools.third_party
	@ls sbom.cdx.json THIRD-PARTY-NOTICES.txt docs/third-party.md

.PHONY: wheel
wheel: $(NATIVE_STAMP) dashboard ## build dist/clarity_otel-*.whl
	@rm -rf build dist
	@CARGO_TARGET_DIR=$(abspath $(VENV))/cargo $(BIN)/uv build --quiet --wheel --no-build-isolation --python $(PY) --out-dir dist .
	@rm -rf build
	@ls dist/*.whl

.PHONY: clean
clean: ## remove all that was built or installed here
	rm -rf .venv .venv-* build dist native/target .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf .benchmarks benchmarks/.venvs benchmarks/out demo-output .clarity-stack
	rm -rf *.egg-info clarity_otel/_native.*.so
	rm -rf clarity_otel/web/static dashboard/node_modules tests/dashboard/out
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# --- what the targets above stand on -----------------------------------------
$(STAMPS)/venv:
	@tools/setup.sh venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: $(STAMPS)/venv pyproject.toml uv.lock
	@tools/setup.sh packages
	@touch $@

$(NATIVE_STAMP): $(STAMPS)/packages pyproject.toml setup.py $(NATIVE_SOURCES)
	@rm -f $(STAMPS)/native $(STAMPS)/without-native
	@tools/setup.sh native
	@touch $@

$(NODE_MODULES): dashboard/package.json dashboard/package-lock.json
	@echo "==> Installing the packages of dashboard/package-lock.json"
	@cd dashboard && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGES): $(NODE_MODULES) $(PAGES_SOURCES)
	@echo "==> Building the dashboard's pages"
	@cd dashboard && npm run --silent build -- --logLevel warn
	@touch $@

.PHONY: redis
redis:
	@tools/setup.sh redis

.PHONY: prometheus
prometheus:
	@tools/setup.sh prometheus

.PHONY: chromium
chromium:
	@tools/setup.sh chromium
