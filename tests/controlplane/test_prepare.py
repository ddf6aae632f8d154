"""Setting an installation up, as `datahall up` does at every start."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Token, User
from apps.projects.models import Project
from controlplane import prepare
from tests import make


@pytest.fixture(autouse=True)
def _keys(settings, tmp_path: Path) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"


def once(folder: Path, *, with_join_token: bool = False) -> prepare.Prepared:
    return prepare.prepare(
        token_file=folder / "token", with_join_token=with_join_token, at=timezone.now()
    )


@pytest.mark.django_db
class TestPrepare:
    def test_lets_the_operator_in(self, tmp_path: Path) -> None:
        prepared = once(tmp_path)

        session = Client().get(
            "/api/v1/session", headers={"Authorization": f"Bearer {prepared.token}"}
        )
        assert session.json()["user"]["is_operator"] is True
        assert [(p["slug"], p["role"]) for p in session.json()["projects"]] == [
            ("default", "owner")
        ]
        assert prepared.sign_in_url.startswith(f"{settings.PUBLIC_URL}/sign-in/")

    def test_signs_in_without_a_password(self, tmp_path: Path) -> None:
        path = once(tmp_path).sign_in_url.removeprefix(settings.PUBLIC_URL)
        client = Client()

        assert client.get(path)["Location"] == "/"
        assert client.get("/api/v1/session").status_code == 200
        assert not User.objects.get().has_usable_password()

    def test_changes_nothing_the_second_time(self, tmp_path: Path) -> None:
        first, second = once(tmp_path), once(tmp_path)

        assert first.token == second.token
        assert first.sign_in_url != second.sign_in_url
        assert User.objects.count() == Project.objects.count() == Token.objects.count() == 1

    def test_keeps_the_token_to_its_owner(self, tmp_path: Path) -> None:
        once(tmp_path)

        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600

    @pytest.mark.parametrize(
        "broken",
        [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() + timedelta(days=1)}],
        ids=["revoked", "about to expire"],
    )
    def test_makes_another_token_when_the_kept_one_is_over(
        self, tmp_path: Path, broken: dict[str, object]
    ) -> None:
        first = once(tmp_path)
        Token.objects.update(**broken)

        assert once(tmp_path).token != first.token

    @pytest.mark.parametrize("kept", ["", "nonsense", "dh_" + "0" * 32 + "_" + "a" * 43])
    def test_makes_another_token_when_the_file_is_damaged(self, tmp_path: Path, kept: str) -> None:
        (tmp_path / "token").write_text(kept)

        assert once(tmp_path).token == (tmp_path / "token").read_text() != kept

    def test_leaves_an_operator_who_is_there_in_charge(self, tmp_path: Path) -> None:
        make.user("ada", is_operator=True)

        once(tmp_path)

        assert [user.username for user in User.objects.all()] == ["ada"]

    def test_invites_a_node_when_asked(self, tmp_path: Path) -> None:
        assert once(tmp_path).join_token is None
        assert once(tmp_path, with_join_token=True).join_token

    def test_says_it_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.argv", ["prepare", "--token-file", str(tmp_path / "token")])

        prepare.main()

        said = capsys.readouterr().out
        assert said.count("\n") == 1
        assert set(json.loads(said)) == {"token", "sign_in_url", "join_token", "password"}
