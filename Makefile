# make audit   set up, then run the night on the sample shop
# make test    set up, then run every test
# make check   what CI adds: lint, types, import rules, current docs, a bare install, a wheel outside any checkout
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
HOME_  ?= qc-home

.PHONY: audit test check lock docs clean
audit: $(VENV)/run.ok
	@$(BIN)/qc nightly data/sample --home $(HOME_)

test: $(VENV)/dev.ok
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/dev.ok
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pipelines.docs --check

docs: $(VENV)/dev.ok
	$(BIN)/python -m pipelines.docs

$(VENV)/run.ok: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("需要 Python 3.11 以上 / Python 3.11 or newer is needed; try: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo '安装依赖(首次约一分钟)… / installing (about a minute the first time)…' >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/dev.ok: $(VENV)/run.ok requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) qc-home build dist
