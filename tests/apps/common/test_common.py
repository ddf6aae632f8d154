import json
import time

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.common import guards, messages
from apps.common.api import problem, rendered
from apps.common.errors import DomainError, FieldRefusal, InputRefused
from apps.common.ids import uuid7
from tests import make


class TestUuid7:
    def test_sorts_by_age(self) -> None:
        first = uuid7()
        time.sleep(0.002)  # its clock has milliseconds

        assert first < uuid7()
        assert (first.version, first.variant) == (7, "specified in RFC 4122")


class TestRender:
    @pytest.fixture(autouse=True)
    def texts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = {
            "en": {"late": "{who} is late: {why}.", "rain": "it rains", "twice": "{first}; again"},
            "zh-CN": {"late": "{who}迟到了：{why}。", "rain": "下雨"},
        }
        monkeypatch.setattr(messages, "catalogue", texts.__getitem__)

    def test_speaks_a_language(self) -> None:
        assert messages.render("late", {"who": "Ada", "why": "x"}, "zh-CN") == "Ada迟到了：x。"

    def test_takes_english_where_a_text_is_missing(self) -> None:
        assert messages.render("twice", {"first": "one"}, "zh-CN") == "one; again"

    def test_shows_a_code_that_nobody_wrote(self) -> None:
        assert messages.render("unheard_of", {}, "en") == "unheard_of"

    def test_survives_a_missing_parameter(self) -> None:
        assert messages.render("late", {"who": "Ada"}, "en") == "Ada is late: ?."

    def test_renders_a_why_that_is_a_code(self) -> None:
        assert messages.render("late", {"who": "Ada", "why": "rain"}, "en") == (
            "Ada is late: it rains."
        )

    def test_renders_a_reason_within_a_reason(self) -> None:
        why = {"code": "late", "params": {"who": "the bus", "why": "rain"}}

        assert messages.render("twice", {"first": why}, "en") == "the bus is late: it rains.; again"


class TestProblem:
    def test_renders_a_refusal_of_several_fields(self, rf) -> None:
        refused = InputRefused(
            [
                FieldRefusal("to", "user_unknown", {"username": "ada"}),
                FieldRefusal("by", "late", {}),
            ]
        )

        answer = problem(refused, {"request": rf.get("/")})

        assert answer.status_code == 422
        assert json.loads(answer.content)["errors"] == [
            {
                "field": "to",
                "code": "user_unknown",
                "detail": "There is nobody named ada. An operator can add people.",
            },
            {"field": "by", "code": "late", "detail": "late"},
        ]

    def test_leaves_what_it_does_not_know_to_django(self, rf) -> None:
        assert problem(ZeroDivisionError(), {"request": rf.get("/")}) is None


class TestRendered:
    def test_adds_the_text(self, rf) -> None:
        reason = {"code": "token_expired", "params": {"at": "noon"}}

        assert rendered(reason, rf.get("/")) == {
            **reason,
            "text": "The token expired at noon. Make a new one.",
        }

    def test_leaves_no_reason_alone(self) -> None:
        assert rendered(None, None) is None


class TestGuards:
    def test_the_first_refusal_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class StillNeeded(DomainError):
            """Somebody needs it."""

        monkeypatch.setattr(guards, "_guards", guards.defaultdict(list))

        @guards.guard_deletion(User)
        def refuse(user: User) -> None:
            if user.username == "needed":
                raise StillNeeded

        guards.check_deletion(User(username="other"))
        with pytest.raises(StillNeeded):
            guards.check_deletion(User(username="needed"))


class TestHealth:
    @pytest.mark.django_db
    def test_is_ready_with_database_and_redis(self) -> None:
        answer = Client().get("/readyz")

        assert (answer.status_code, answer.json()["status"]) == (200, "ok")

    @pytest.mark.django_db
    def test_says_what_is_missing(self, settings) -> None:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        answer = Client().get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"] == {"database": True, "redis": False}

    def test_is_alive_without_either(self) -> None:
        assert Client().get("/healthz").status_code == 200


@pytest.mark.django_db
class TestConsole:
    def test_is_one_page_for_every_path(self, settings, tmp_path) -> None:
        settings.FRONTEND_DIST = tmp_path
        (tmp_path / "index.html").write_text("<title>Datahall</title>")

        for path in ("/", "/projects/vision/jobs", "/anything"):
            answer = Client().get(path)
            assert (answer.status_code, answer.content) == (200, b"<title>Datahall</title>")
            assert answer["Cache-Control"] == "no-cache"
            assert "csrftoken" in answer.cookies

    def test_says_how_to_build_it(self, settings, tmp_path) -> None:
        settings.FRONTEND_DIST = tmp_path

        answer = Client().get("/")

        assert answer.status_code == 503
        assert "./dev up" in answer.content.decode()

    @pytest.mark.parametrize("path", ["/api/nothing", "/agent/v1/nothing", "/static/nothing.js"])
    def test_is_not_what_programs_get(self, path: str) -> None:
        assert Client().get(path).status_code == 404


@pytest.mark.django_db
class TestReference:
    def test_needs_nothing_from_elsewhere(self) -> None:
        page = Client().get("/api/v1/docs/", headers=make.bearer(make.user())).content.decode()

        assert "https://" not in page
        for part in ("swagger-ui-bundle.js", "swagger-ui.css"):
            path = f"/static/drf_spectacular_sidecar/swagger-ui-dist/{part}"
            assert path in page
            answer = Client().get(path)
            assert (answer.status_code, len(answer.content)) == (
                200,
                int(answer["Content-Length"]),
            )

    def test_is_for_those_who_are_let_in(self) -> None:
        assert Client().get("/api/v1/docs/").status_code == 401
        assert Client().get("/api/v1/schema/").status_code == 401
