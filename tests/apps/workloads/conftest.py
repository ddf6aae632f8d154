import pytest

from apps.workloads import services


@pytest.fixture
def published(monkeypatch) -> list:
    """What the workloads app says, without waiting for a commit."""
    events: list = []
    for writer in (services.moves, services.placing):
        monkeypatch.setattr(writer, "publish", events.append)
    return events
