import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings
from drf_spectacular.generators import SchemaGenerator

from tests.hostility.matrix.world import World


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: pytest.FixtureRequest, tmp_path_factory: object
) -> Iterator[World]:
    """Made once for a module: what a cell writes is rolled back with it."""
    folder: Path = tmp_path_factory.mktemp("world")  # type: ignore[attr-defined]
    changed = override_settings(ARTIFACTS_DIR=folder, SIGNING_KEY_FILE=folder / "signing.key")
    with changed, django_db_blocker.unblock(), transaction.atomic():  # type: ignore[attr-defined]
        yield World()
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of refusals are meant here; that Django tells of each takes longer than asking."""
    caplog.set_level(logging.ERROR, logger="django.request")
    caplog.set_level(logging.ERROR, logger="django.security")


@pytest.fixture(autouse=True)
def no_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may read the API's document is asked here, not what it says: that takes a while."""
    monkeypatch.setattr(SchemaGenerator, "get_schema", lambda *_, **__: {})


CELLS: Counter[str] = Counter()


@pytest.fixture(scope="session")
def record_cells() -> Counter[str]:
    """Counts what was compared; the size is said at the end."""
    return CELLS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if CELLS:
        said = ", ".join(f"{count} {what}" for what, count in sorted(CELLS.items()))
        terminalreporter.write_line(f"matrix: {sum(CELLS.values())} cells compared: {said}")
