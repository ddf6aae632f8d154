import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from apps.projects import selectors
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def headers() -> dict[str, str]:
    return make.bearer(make.user())


class TestProblemDocuments:
    def test_say_what_and_why_and_what_to_do(self, headers: dict[str, str]) -> None:
        answer = Client().get("/api/v1/projects/nothing", headers=headers)

        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json() == {
            "type": "urn:datahall:problem:not_found",
            "title": "Not found",
            "status": 404,
            "detail": "There is nothing here, or nothing that you may see. "
            "Check the name, and that you are a member of the project.",
            "code": "not_found",
            "params": {},
        }

    @pytest.mark.parametrize(
        ("accepted", "title"),
        [
            ("zh-CN,zh;q=0.9,en;q=0.8", "未找到"),
            ("zh", "未找到"),
            ("zh-Hans", "未找到"),
            ("en-GB", "Not found"),
            ("fr", "Not found"),
            ("", "Not found"),
        ],
    )
    def test_speak_the_readers_language(
        self, headers: dict[str, str], accepted: str, title: str
    ) -> None:
        answer = Client().get(
            "/api/v1/projects/nothing", headers={**headers, "Accept-Language": accepted}
        )

        assert answer.json()["title"] == title

    def test_answer_a_path_that_is_none_of_ours(self) -> None:
        assert Client().get("/api/v1/nothing/at/all").json()["code"] == "not_found"

    def test_say_who_may_come_in_how(self) -> None:
        answer = Client().get("/api/v1/projects")

        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert answer["WWW-Authenticate"].startswith("Bearer")

    def test_answer_a_method_that_is_not_there(self, headers: dict[str, str]) -> None:
        answer = Client().put("/api/v1/projects", headers=headers)

        assert (answer.status_code, answer.json()["params"]) == (405, {"method": "PUT"})

    @pytest.mark.parametrize("path", ["/api/v1/projects", "/api/v1/projects/x/members"])
    def test_tell_nothing_about_a_route_to_who_asks_for_options(
        self, headers: dict[str, str], path: str
    ) -> None:
        assert Client().options(path, headers=headers).status_code == 405

    def test_name_each_field_of_a_nested_body(self, headers: dict[str, str]) -> None:
        answer = Client().post(
            "/api/v1/tokens",
            {"name": "x" * 101, "scopes": ["read", "everything"]},
            "application/json",
            headers=headers,
        )

        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
            ("name", "max_length"),
            ("scopes.1", "invalid_choice"),
        ]

    def test_take_a_body_that_is_no_object(self, headers: dict[str, str]) -> None:
        answer = Client().post("/api/v1/tokens", [1], "application/json", headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (400, "input_refused")


class TestWhatBreaksOutside:
    def test_a_host_that_is_not_ours(self) -> None:
        answer = Client().get("/api/v1/session", headers={"Host": "evil.example"})

        assert (answer.status_code, answer.json()["code"]) == (400, "request_refused")

    def test_a_fault_of_the_server(
        self, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError("with a secret in it")

        monkeypatch.setattr(selectors, "standings", fail)

        answer = Client(raise_request_exception=False).get("/api/v1/session", headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert b"secret" not in answer.content

    def test_a_database_that_does_not_answer(
        self, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OperationalError

        monkeypatch.setattr(selectors, "standings", fail)

        answer = Client().get("/api/v1/session", headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
        assert answer["Retry-After"] == "5"


class TestBodies:
    def post(self, headers: dict[str, str], body: bytes | str, kind: str = "application/json"):
        answer = Client().generic("POST", "/api/v1/projects", body, kind, headers=headers)
        return answer.status_code, answer.json()["code"]

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{",
            "{'slug': 'x'}",
            '{"slug": NaN}',
            '{"slug": Infinity}',
            '{"slug": -Infinity}',
            '{"slug": 1e400}',
            '{"slug": ' + "9" * 10_000 + "}",
            '{"slug": "a\\u0000b"}',
            '{"a\\u0000": 1}',
            '{"slug": ["\\ud800"]}',
            "[" * 100_000,
            "[" * 100 + "]" * 100,
            b"\xff\xfe",
            '{"slug": "x"} trailing',
        ],
        ids=lambda body: repr(body[:24]),
    )
    def test_that_are_not_json_are_refused(
        self, headers: dict[str, str], body: bytes | str
    ) -> None:
        assert self.post(headers, body) in [(400, "malformed_json"), (400, "input_refused")]

    @pytest.mark.parametrize(
        "kind", ["text/xml", "multipart/form-data; boundary=x", "text/plain", "application/x-yaml"]
    )
    def test_of_another_kind_are_refused(self, headers: dict[str, str], kind: str) -> None:
        assert self.post(headers, "<x/>", kind) == (415, "unsupported_media_type")

    def test_that_are_too_large_are_refused(self, headers: dict[str, str]) -> None:
        body = '{"slug": "' + "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + '"}'

        assert self.post(headers, body) == (413, "body_too_large")

    def test_that_are_compressed_are_not_opened(self, headers: dict[str, str]) -> None:
        packed = {**headers, "Content-Encoding": "gzip"}

        assert self.post(packed, b"\x1f\x8b\x08\x00") == (400, "malformed_json")

    def test_may_hold_any_language(self, headers: dict[str, str]) -> None:
        answer = Client().post(
            "/api/v1/projects",
            {"slug": "x", "name": "视觉 🙂"},
            "application/json",
            headers=headers,
        )

        assert answer.json()["name"] == "视觉 🙂"
