import pytest


@pytest.fixture(autouse=True)
def _nobodys_home(monkeypatch, tmp_path):
    """No login, no cache and no installation of whoever runs the tests."""
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DATAHALL_STATE"):
        monkeypatch.setenv(name, str(tmp_path / "home" / name.lower()))
    for name in ("DATAHALL_URL", "DATAHALL_TOKEN", "DATAHALL_PROJECT"):
        monkeypatch.delenv(name, raising=False)
