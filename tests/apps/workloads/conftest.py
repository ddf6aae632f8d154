import pytest

from apps.workloads import services


@pytest.fixture
def published(monkeypatch) -> list:
    """What the workloads app says, without waiting for a commit."""
    events: list = []
    monkeypatch.setattr(services, "publish", events.append)
    return events
