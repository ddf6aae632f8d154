import pytest


@pytest.fixture(autouse=True)
def installation(settings, tmp_path) -> None:
    """Nodes are given a way to the broker, and the signing key is this test's own."""
    settings.NODE_BROKER_URL = settings.REDIS_URL
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
