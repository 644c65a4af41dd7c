# `make run` and `make test` do all their own set-up on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
PORT ?= 8501
# On this address it serves one person without accounts; on any other it asks for them (README, "Several people").
ADDRESS ?= 127.0.0.1
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check browser clean

run: $(VENV)/run.stamp
	$(BIN)/streamlit run app.py --server.address $(ADDRESS) --server.port $(PORT)

test: $(VENV)/dev.stamp browser
	$(BIN)/python -m pytest

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# A stamp is newer than its requirements once they are installed; pip runs again only when they change.
$(VENV)/run.stamp: requirements.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/run.stamp

# The browser tests want Chromium and the store tests a PostgreSQL server. Where neither can be installed they are skipped and say so.
browser: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.system_packages

clean:
	rm -rf $(VENV) build
