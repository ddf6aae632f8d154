.PHONY: up test check fmt openapi lock screens drill chaos measures

up: ; ./dev up
test: ; ./dev test
check: ; ./dev check
fmt: ; .venv/bin/ruff check --fix . ; .venv/bin/ruff format . ; npm run fmt --prefix frontend
openapi: ; .venv/bin/python manage.py spectacular --settings controlplane.settings.test --file frontend/openapi.yaml && npm run openapi --prefix frontend
lock: ; python3 deploy/scripts/lock.py
screens: ; .venv/bin/python -m tests.e2e.screens
drill: ; DATAHALL_DRILL=full .venv/bin/pytest -n0 -q tests/flows/test_restore.py
chaos: ; .venv/bin/python -m tests.chaos
measures: ; .venv/bin/python -m tests.architecture.measures --write
