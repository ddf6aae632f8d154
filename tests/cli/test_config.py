import json
import stat
from pathlib import Path

import click
import pytest

from controlplane.cli import config
from controlplane.cli.config import Login


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a state folder of our own, and nothing in the environment."""
    for name in ("DATAHALL_URL", "DATAHALL_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DATAHALL_STATE", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    return tmp_path


def running_here(home: Path) -> None:
    (home / "state/ready.json").write_text(json.dumps({"url": "http://here", "token": "local"}))


class TestCurrentLogin:
    def test_the_environment_comes_first(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config.remember(Login("http://there", "kept"))
        monkeypatch.setenv("DATAHALL_URL", "http://env/")
        monkeypatch.setenv("DATAHALL_TOKEN", "given")

        assert config.current_login() == Login("http://env", "given")

    def test_then_the_login(self, home: Path) -> None:
        running_here(home)
        config.remember(Login("http://there", "kept"))

        assert config.current_login() == Login("http://there", "kept")

    def test_then_what_runs_here(self, home: Path) -> None:
        running_here(home)

        assert config.current_login() == Login("http://here", "local")

    def test_a_url_alone_chooses_among_the_known(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running_here(home)
        config.remember(Login("http://there", "kept"))
        monkeypatch.setenv("DATAHALL_URL", "http://here")

        assert config.current_login() == Login("http://here", "local")

    def test_a_token_alone_is_for_the_known_installation(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running_here(home)
        monkeypatch.setenv("DATAHALL_TOKEN", "given")

        assert config.current_login() == Login("http://here", "given")

    def test_says_what_to_do_when_there_is_none(self) -> None:
        with pytest.raises(click.ClickException, match="datahall up"):
            config.current_login()


class TestRemember:
    def test_nobody_else_can_read_it(self) -> None:
        path = config.remember(Login("http://there", "secret"))

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
