SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
# Tests at once.
JOBS ?= 2
# Folder of yours that `make demo` backs up, only read; empty: a sample tree.
DIR ?=
# How long `make fuzz` takes for all its targets together, and which they are; empty: every one.
SECONDS := 900
TARGET ?=
# Kinds of faults that `make faults` strikes with, comma-separated; empty: every one.
KINDS ?=
# How many records `make bench-growth` measures with, rising, comma-separated; empty: up to two million.
RECORDS ?=
# `make lock UPGRADE=--upgrade` takes the newest versions, else the pinned ones stay while they fit.
UPGRADE ?=

BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--custom-compile-command "make lock" $(UPGRADE) pyproject.toml

.PHONY: help
help: ## Says what each target does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Makes .venv (PYTHON=/path/to/python3) and installs the Debian packages that are missing
	@PYTHON=$(PYTHON) deploy/development/setup.sh

# What every other target needs: as setup, but keeps the interpreter of an environment that is there.
.PHONY: ready
ready:
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter

.PHONY: check
check: ready ## Lint, format, types, import rule, protos, hygiene of the repository
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH=$(CURDIR)/.venv/bin:$$PATH clients/web/node_modules/.bin/tsc --project clients/web
	PATH=$(CURDIR)/.venv/bin:$$PATH clients/web/node_modules/.bin/tsc --project clients/examples/node
	$(BIN)/python -m deploy.development.protos check
	$(BIN)/python -m tests.hygiene.check

.PHONY: test
test: ready ## Every test but the long ones
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not verify and not bench"

.PHONY: coverage
coverage: ready ## Branch coverage, with its floor on domain and keeper
	rm -f build/coverage/data*
	$(BIN)/python -m pytest -n $(JOBS) -m "not verify and not bench" --cov --cov-report=
	$(BIN)/coverage report
	$(BIN)/coverage report --include='*/strongroom_service/domain/*' --fail-under=95 --format=total
	$(BIN)/coverage report --include='*/strongroom_service/keeper/*' --fail-under=95 --format=total

.PHONY: planted
planted: ready ## Defects put in on purpose: each must make the test named in it fail
	$(BIN)/python -m tests.planted.run

.PHONY: mutants
mutants: ready ## Changes each rule of domain in every place: a test must notice, or the change be explained (minutes)
	$(BIN)/python -m tests.mutants.run --jobs $(JOBS)

.PHONY: verify
verify: ready ## The long tests, the faults, the failovers (as root), the year, then the planted defects
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter --kube
	$(BIN)/python -m pytest -m verify
	$(BIN)/python -m tests.campaign.campaign
	$(MAKE) ha
	$(BIN)/python -m tests.year.year
	$(MAKE) image-smoke
	$(BIN)/python -m tests.planted.run

.PHONY: faults
faults: ready ## Strikes the running service a thousand times under load; build/faults.json (KINDS=sigkill_front,disk_full: some)
	$(BIN)/python -m tests.campaign.campaign $(if $(KINDS),--kinds $(KINDS))

.PHONY: ha
ha: ready ## Failovers of a real PostgreSQL cluster under a storm, as root, a quarter of an hour; build/ha.json
	@deploy/development/setup.sh --keep-interpreter --ha
	$(BIN)/python -m tests.ha.ha

.PHONY: year
year: ready ## An operator's year: rotations, upgrade, certificates, a lost token, a thousand people (minutes); build/year.json
	$(BIN)/python -m tests.year.year

.PHONY: chart-check
chart-check: ready ## Helm chart and Dockerfile by helm, the schemas of two Kubernetes versions, checkov, yamllint, hadolint
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter --kube
	$(BIN)/python -m pytest -m verify tests/integration/kubernetes

.PHONY: image
image: ready ## Builds the image on a base made here, as root; build/image/service.cdx.json is its bill of materials
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter --image
	deploy/image/build.sh service

.PHONY: image-smoke
image-smoke: ready ## Runs the pod that the chart renders on the image, with podman as root: somebody enrolls and restores
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter --image --kube
	deploy/image/smoke.sh

.PHONY: fuzz
fuzz: ready ## Fuzzes the parsers of hostile bytes, guided by coverage (SECONDS=60 in all, TARGET=name of one)
	$(BIN)/python -m tests.fuzz.fuzz --seconds $(SECONDS) $(TARGET)

.PHONY: bench
bench: ready ## Measures throughput, latency and cost on this machine (4 minutes)
	$(BIN)/python -m tests.bench.bench

.PHONY: bench-growth
bench-growth: ready ## The same with few and many records (10 minutes, 15 GB; RECORDS=1000,100000: not as many)
	$(BIN)/python -m tests.bench.growth $(if $(RECORDS),--records $(RECORDS))

.PHONY: bench-memory
bench-memory: ready ## Whether memory grows over a hundred thousand releases (6 minutes)
	$(BIN)/python -m tests.bench.memory

.PHONY: bench-peers
bench-peers: ready ## Beside OpenBao in one run, drawn into docs/ (4 minutes)
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter --peers
	$(BIN)/python -m tests.bench.peers
	.venv-peers/bin/python -m tests.bench.plot build/bench-peers.json docs/capacity-clients.png

.PHONY: dashboard
dashboard: ready ## Loads a service that a real Prometheus scrapes, and draws the dashboard's main panels into docs/
	@PYTHON=$(PYTHON) deploy/development/setup.sh --keep-interpreter --peers
	$(BIN)/python -m pytest -m verify tests/integration/service/test_prometheus.py
	.venv-peers/bin/python -m tests.bench.plot_dashboard build/dashboard.json docs/dashboard.png

.PHONY: capacity
capacity: ready ## Puts what the benches measured into docs/capacity.md
	$(BIN)/python -m tests.bench.capacity

.PHONY: demo
demo: ready ## The main job, acted out from enrollment to exhaustion (DIR=folder: on a folder of yours, only read)
	$(BIN)/python -m deploy.development.demo $(if $(DIR),"$(DIR)")

.PHONY: run
run: ready ## A vault for development on this machine
	$(BIN)/python -m deploy.development.run

.PHONY: web
web: ready ## The same, with the page for browsers at http://localhost:8737
	$(BIN)/python -m deploy.development.run --page

.PHONY: screenshots
screenshots: ready ## Pictures of the page's main states, light and dark, into docs/page/
	$(BIN)/python -m tests.browser.screenshots

.PHONY: protos
protos: ready ## Generates protos/gen/python and clients/web/src/gen
	$(BIN)/python -m deploy.development.protos generate

.PHONY: protos-check
protos-check: ready ## buf lint and breaking, and no drift of the generated code
	$(BIN)/python -m deploy.development.protos check

.PHONY: lock
lock: ready ## Resolves requirements/*.txt anew (UPGRADE=--upgrade: to the newest versions)
	$(LOCK) --extra service --extra tracing --extra client --extra storage --extra development --output-file requirements/development.txt
	$(LOCK) --extra service --constraint requirements/development.txt --output-file requirements/service.txt
	$(LOCK) --extra service --extra tracing --constraint requirements/development.txt --output-file requirements/tracing.txt
	$(LOCK) --extra client --constraint requirements/development.txt --output-file requirements/client.txt
	$(LOCK) --extra client --extra storage --constraint requirements/development.txt --output-file requirements/storage.txt
	$(LOCK) --extra oracles --output-file requirements/oracles.txt
	$(LOCK) --extra peers --output-file requirements/peers.txt
	$(LOCK) --extra ha --output-file requirements/ha.txt
	$(LOCK) --extra kube --output-file requirements/kube.txt
	$(LOCK) --extra image --output-file requirements/image.txt

.PHONY: clean
clean: ## Removes environments, caches and what was built
	rm -rf .venv .venv-oracles .venv-ha .venv-kube .venv-peers build dist .coverage .coverage.* htmlcov .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
