# The two commands of the README: `make demo` and `make test`. Both set everything up first.
ifndef PYTHON
PYTHON := $(firstword $(foreach version,3.11 3.12 3.13 3.10,$(shell python$(version) -c 'print("python$(version)")' 2>/dev/null)) python3)
endif
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
READY := $(VENV)/.ready
BEAM := .venv-beam
UV := build/lock/bin/uv
LOCK_OPTIONS ?=

.PHONY: demo test pytest beam conformance conformance-matrix lint format lock clean

demo: $(READY)
	$(BIN)/kpt-tools demo

test: lint conformance pytest beam

pytest: $(READY)
	$(BIN)/python -m pytest

# Apache Beam does not go with the versions of the large lock: an environment of its own, without TensorFlow.
beam: $(BEAM)/.ready
	$(BEAM)/bin/python -m pytest tests/beam

# The OD API's own tests through our compatibility layer; docs/odapi-compatibility.md tells about it.
conformance: $(READY)
	$(BIN)/python -m tests.conformance

# The same for every supported Python and TensorFlow, each in an environment of its own; takes hours.
conformance-matrix: $(READY)
	$(BIN)/python -m tests.conformance.matrix

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# After a change of requirements in setup.py.
lock: $(UV)
	build/lock/bin/python requirements/lock.py $(UV) $(LOCK_OPTIONS)

$(UV):
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv setuptools

$(PACKAGES): requirements/all.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "$(PYTHON) is not Python 3.10 to 3.13. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements/all.txt
	touch $@

$(READY): $(PACKAGES) setup.py pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(BEAM)/.ready: requirements/beam.txt setup.py
	$(PYTHON) -m venv --clear $(BEAM)
	$(BEAM)/bin/python -m pip install --quiet --no-deps --requirement requirements/beam.txt
	$(BEAM)/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) $(BEAM) build dist *.egg-info demo
