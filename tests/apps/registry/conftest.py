import pytest

from apps.artifacts import storage


@pytest.fixture(autouse=True)
def store(settings, tmp_path) -> storage.LocalStore:
    """A store of the test's own, in ``tmp_path``."""
    settings.ARTIFACTS_DIR = tmp_path
    return storage.store()
