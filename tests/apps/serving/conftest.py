import pytest

from apps.serving import services


@pytest.fixture(autouse=True)
def _own_store(settings, tmp_path):
    """Bytes of a test are gone with it."""
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"


@pytest.fixture
def published(monkeypatch) -> list:
    """What the serving app says, without waiting for a commit."""
    events: list = []
    monkeypatch.setattr(services.locks, "publish", events.append)
    return events
