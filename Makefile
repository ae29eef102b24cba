PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
LINTED := src acceptance violations tests lab loadtests conftest.py

.PHONY: accept test other other-prove other-down lab-up lab-down lint prove docs report
.NOTPARALLEL:

.venv/ready: pyproject.toml requirements-dev.lock  ## the environment; about a minute
	@python3 -c 'import ensurepip' 2>/dev/null || apt-get install -y --no-install-recommends python3-venv
	python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

accept: lab-up  ## judge the lab: one verdict per control, one gate line, a report
	code=0; $(PY) -m assay.cli check || code=$$?; $(PY) -m assay.cli report; exit $$code

test: lab-up  ## the suite's own tests: offline first, then on the lab
	$(PY) -m pytest tests/unit -n 2 --dist loadfile
	$(PY) -m pytest tests/lab

prove: lab-up  ## plant every violation on the lab: its test must go red and name it; record what was caught
	code=0; $(PY) -m pytest acceptance/ --prove || code=$$?; $(PY) -m assay.cli docs --record; exit $$code

other: .venv/ready  ## the same platform with every name different, its profile by assay init: static and live
	ASSAY_LAB_INSTANCE=other $(PY) -m lab onboard

other-prove: .venv/ready  ## all tiers on it by the lab's own profile, then every violation
	ASSAY_LAB_INSTANCE=other $(PY) -m lab up --names other
	$(PY) -m assay.cli check --stack /var/lib/assayo-lab/stack.toml
	$(PY) -m pytest acceptance/ --prove --stack /var/lib/assayo-lab/stack.toml

other-down: .venv/ready
	ASSAY_LAB_INSTANCE=other $(PY) -m lab down --wipe

lab-up: .venv/ready
	$(PY) -m lab up

lab-down: .venv/ready
	$(PY) -m lab down

lint: .venv/ready  ## style, types, architecture, freshness of the generated pages
	$(PY) -m ruff check $(LINTED)
	$(PY) -m ruff format --check $(LINTED)
	$(PY) -m mypy src/assay acceptance violations lab loadtests
	$(PY) -m pytest -q tests/unit/test_architecture.py
	$(PY) -m assay.cli docs --check

docs: .venv/ready  ## write the generated pages
	$(PY) -m assay.cli docs

report: .venv/ready  ## reports/allure-report from the last run's results
	$(PY) -m assay.cli report
