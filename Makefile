# make demo    a real job on a real cluster of this machine, with a worker and the master killed on the way
# make quick   what to run before each commit: linter, types, the tests that start no program
# make test    what must hold before a change lands: linter, types, the whole suite
# make thorough  the variants of which `make test` runs a sample: some minutes
# make other-pythons   the fast part of the suite on every other Python of this machine: some minutes
# make faults  every fault on real programs: some minutes, and a table at the end
# make fuzz    two million damaged messages, values, texts and calls, then twenty times the examples of the property tests, by chance: some minutes
# make proof   the simulator: 500 seeds, 500 of several shards, 500 of masters that share them, 500 of needs between shards, then every planted bug: some minutes
# make bench   measure everything beside floors and peers, and write docs/performance.md
# make soak    twenty minutes of load and kills: does anything grow? Writes its table into docs/performance.md
# make crawl   fetch two million URLs from a server of this machine: is each there once, does anything grow? URLS=50000 is a look
# make docs    the documents as a site, into site/; a warning fails
# make clean   forget what was built and installed here
#
# JOBS=4 is how many processes share the suite; VENV=dir chooses another virtual environment, PYTHON=python3.13 another interpreter.

SHELL := /bin/sh
VENV ?= .venv
CORES := $(shell getconf _NPROCESSORS_ONLN)
URLS ?= 2000000
JOBS ?= $(shell expr 2 '*' $(CORES))
# Compiled tests are kept, whatever the environment says: else each run compiles all of them again.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := $(VENV)/bin
SOURCES := pyproject.toml README.md LICENSE $(shell find __init__.py py.typed client common configs master tasks web worker \
	-name '*.py' -o -name '*.sql' -o -name '*.toml' -o -path 'configs/*/*' -o -path 'web/templates/*' -o -path 'web/static/*' -o -name py.typed) docs/errors.md
# One rule for both: what follows the dash is the extra that is installed with the package.
DEMO := $(VENV)/installed-demo
DEV := $(VENV)/installed-dev
BENCH := $(VENV)/installed-bench
DOCS := $(VENV)/installed-docs
.PHONY: installed demo test quick pure lint types suite thorough other-pythons faults fuzz proof bench soak crawl docs clean

# What `make test` needs, and nothing more.
installed: $(DEV)

demo: $(DEMO)
	$(BIN)/tq demo

# Type checker and linter use one core each: what takes the other meanwhile costs no time.
quick: $(DEV)
	$(MAKE) -j 3 lint types pure

# They compute and do not wait: one process for each core.
pure: $(DEV)
	$(BIN)/pytest -q --processes $(CORES) -m 'not thorough' $(addprefix tests/,common client history house)

# The suite begins with one process, which imports all tests; the type checker is one as well.
test: $(DEV)
	$(MAKE) -j 3 lint types suite

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy -p tq -p benchmarks

# The installed package is what is tested: `pytest`, unlike `python -m pytest`, leaves the tree off the path.
# The suite waits more than it computes: its tests run side by side, and last those that measure or fill the machine, by themselves.
# Up to three that fail are run once more by themselves, and named if they pass then: tests/again.py says why.
suite: export TQ_TEST_INSTALLED = 1
suite: $(DEV)
	rm -f .pytest_cache/v/cache/lastfailed
	$(BIN)/pytest -q --processes $(JOBS) -m 'not thorough' --durations=25 --durations-min=4 || $(BIN)/python tests/again.py

thorough: $(DEV)
	$(BIN)/pytest -q --processes $(JOBS) -m thorough

other-pythons: $(DEV)
	$(BIN)/python tests/other_pythons.py --cache $(VENV)/other-pythons --jobs $(JOBS)

faults: $(DEV)
	$(BIN)/pytest tests/faults --faults-scale 10

fuzz: $(DEV)
	$(BIN)/python -m tests.fuzz
	$(BIN)/pytest -q --processes $(JOBS) -m hypothesis --hypothesis-profile search --timeout 900

proof: $(DEV)
	$(BIN)/python -m tests.simulation --seeds 500
	$(BIN)/python -m tests.simulation --shards --seeds 500
	$(BIN)/python -m tests.simulation --sharing --seeds 500
	$(BIN)/python -m tests.simulation --edges --seeds 500
	$(BIN)/python -m tests.simulation.planted

bench: $(BENCH)
	$(BIN)/python -m benchmarks

soak: $(BENCH)
	$(BIN)/python -m benchmarks.soak

crawl: $(BENCH)
	$(BIN)/python -m benchmarks.crawl_long --urls $(URLS)

docs: $(DOCS)
	$(BIN)/sphinx-build -q -W --keep-going -d site/.doctrees docs site

clean:
	rm -rf $(VENV) build site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# `build` goes first: setuptools would pack what it finds there, files deleted long ago included.
# Modules are compiled when they are first imported: most that come with the extras never are, and pip would compile them all.
$(VENV)/installed-%: $(SOURCES) | $(BIN)/python
	rm -rf build *.egg-info
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile '.[$*]'
	touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "tq needs Python 3.11 or newer; install it, or say make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
