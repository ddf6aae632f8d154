"""People, members, tokens and recipes on the command line."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.plane import Answer, Asked, plane
from tests.cli.test_commands import run

ANN = {
    "id": "u1",
    "username": "ann",
    "is_operator": True,
    "is_active": True,
    "last_login": "2026-11-23T10:00:00Z",
}
TOKEN = {
    "id": "t1",
    "name": "laptop",
    "scopes": ["write"],
    "expires_at": "2026-12-23T10:00:00Z",
    "last_used_at": None,
}
RECIPE = {
    "name": "image_classification",
    "title": {"en": "Image classification"},
    "summary": {"en": "Sorts pictures."},
    "accepts": ["images_by_class"],
    "metrics": ["test/accuracy"],
    "resources": {"cpu_millis": 1000, "memory_bytes": 2**31, "device_count": 0},
    "parameters": [
        {
            "name": "epochs",
            "type": "int",
            "default": 5,
            "minimum": 1,
            "maximum": 1000,
            "choices": [],
            "label": {"en": "Epochs"},
            "help": {},
        }
    ],
}


def listing(*rows: Any, otherwise: Any = None) -> Callable[[Asked], Answer]:
    """A list for every GET; what is written is answered with ``otherwise``."""

    def answer(asked: Asked) -> Answer:
        if asked.method == "GET":
            return Answer(200, {"results": list(rows), "next": None})
        return Answer(204) if otherwise is None else Answer(200, otherwise)

    return answer


class TestUsers:
    def test_are_listed(self):
        shut_out = ANN | {"username": "ben", "is_operator": False, "is_active": False}
        with plane(listing(ANN, shut_out)) as server:
            result = run("users", "list", url=server.url)

        assert "ann   operator" in result.stdout
        assert "shut out" in result.stdout

    def test_are_created_with_a_link(self):
        made = ANN | {"sign_in_url": "http://hall/sign-in/x"}
        with plane(listing(otherwise=made)) as server:
            result = run("users", "create", "ann", "--operator", url=server.url)

        assert "http://hall/sign-in/x" in result.stdout
        assert server.asked[-1].json == {"username": "ann", "is_operator": True}

    def test_get_another_link(self):
        with plane(listing(ANN, otherwise={"sign_in_url": "http://hall/x"})) as server:
            result = run("users", "sign-in-link", "ann", url=server.url)

        assert result.stdout == "http://hall/x\n"
        assert server.asked[-1].path == "/api/v1/users/u1/sign-in-link"

    def test_are_shut_out(self):
        with plane(listing(ANN, otherwise=ANN | {"is_active": False})) as server:
            result = run("users", "deactivate", "ann", url=server.url)

        assert result.stdout == "ann shut out\n"
        assert (server.asked[-1].method, server.asked[-1].json) == ("PATCH", {"is_active": False})

    def test_that_are_not_there_are_said(self):
        with plane(listing(ANN)) as server:
            result = run("users", "activate", "eve", url=server.url)

        assert (result.exit_code, result.stderr) == (
            1,
            "Error: there is no user eve; see `datahall users list`\n",
        )


class TestMembers:
    MEMBER = {"user_id": "u1", "username": "ann", "role": "owner", "created_at": "2026-11-23"}

    def test_are_listed(self):
        with plane(listing(self.MEMBER)) as server:
            result = run("members", "list", "--project", "vision", url=server.url)

        assert "ann   owner" in result.stdout
        assert server.asked[-1].path.startswith("/api/v1/projects/vision/members")

    def test_are_added_in_a_role(self):
        with plane(listing(otherwise=self.MEMBER)) as server:
            result = run("members", "add", "ann", "--role", "owner", url=server.url)

        assert result.stdout == "ann owner\n"
        assert server.asked[-1].json == {"username": "ann", "role": "owner"}

    def test_are_removed(self):
        with plane(listing(self.MEMBER)) as server:
            result = run("members", "remove", "ann", url=server.url)

        assert result.stdout == "ann removed\n"
        assert (server.asked[-1].method, server.asked[-1].path) == (
            "DELETE",
            "/api/v1/projects/default/members/u1",
        )

    def test_that_are_not_there_are_said(self):
        with plane(listing()) as server:
            result = run("members", "remove", "eve", url=server.url)

        assert result.stderr == "Error: eve is not in the project default\n"


class TestTokens:
    def test_are_listed(self):
        with plane(listing(TOKEN)) as server:
            result = run("tokens", "list", url=server.url)

        assert "laptop  write" in result.stdout

    def test_are_created_and_only_their_text_is_printed(self):
        with plane(listing(otherwise=TOKEN | {"token": "dh_secret"})) as server:
            result = run("tokens", "create", "laptop", "--days", "7", url=server.url)

        assert result.stdout == "dh_secret\n"
        assert server.asked[-1].json == {
            "name": "laptop",
            "scopes": ["write"],
            "expires_in_days": 7,
        }

    @pytest.mark.parametrize("reference", ["t1", "laptop"])
    def test_are_revoked_by_id_or_name(self, reference):
        with plane(listing(TOKEN)) as server:
            result = run("tokens", "revoke", reference, url=server.url)

        assert result.stdout == "t1 revoked\n"
        assert server.asked[-1].path == "/api/v1/tokens/t1"

    def test_of_one_name_are_not_guessed_at(self):
        with plane(listing(TOKEN, TOKEN | {"id": "t2"})) as server:
            result = run("tokens", "revoke", "laptop", url=server.url)

        assert "several tokens are called laptop" in result.stderr
        assert [asked.method for asked in server.asked] == ["GET"]


class TestRecipes:
    def test_are_listed(self):
        with plane(listing(RECIPE)) as server:
            result = run("recipes", "list", "--json", url=server.url)

        assert json.loads(result.stdout) == [RECIPE]

    def test_show_their_parameters(self):
        with plane(listing(RECIPE)) as server:
            result = run("recipes", "show", "image_classification", url=server.url)

        assert "1 cores, 2.0 GiB, 0 GPUs" in result.stdout
        assert "1 to 1000" in result.stdout

    def test_that_are_not_there_are_said(self):
        with plane(listing(RECIPE)) as server:
            result = run("recipes", "show", "alchemy", url=server.url)

        assert result.stderr == "Error: there is no recipe alchemy; see `datahall recipes list`\n"
