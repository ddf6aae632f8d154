from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import authentication, credentials, selectors, services
from apps.accounts.models import Token
from apps.accounts.principals import RunPrincipal
from apps.accounts.scopes import Scope
from apps.audit.models import Entry
from apps.common.ids import uuid7
from tests import make

pytestmark = pytest.mark.django_db


class TestCreateToken:
    def test_returns_a_text_that_stands_for_its_person(self) -> None:
        ada = make.user()

        text = make.bearer(ada)["Authorization"].removeprefix("Bearer ")

        assert text.startswith("dh_")
        assert authentication.principal_of_bearer(text) == ada

    def test_keeps_no_secret(self) -> None:
        text = make.bearer(make.user())["Authorization"]

        secret = text.rsplit("_", 1)[1]
        assert secret not in str(Token.objects.values_list())
        assert secret not in str(Entry.objects.values_list())

    def test_is_recorded(self) -> None:
        ada = make.user()

        make.bearer(ada)

        entry = Entry.objects.get(action="token.create")
        assert (entry.actor_id, entry.object_type) == (ada.id, "token")

    def test_refuses_a_scope_that_the_person_lacks(self) -> None:
        with pytest.raises(services.ScopeNotYours):
            make.bearer(make.user(), Scope.ADMIN)

    @pytest.mark.parametrize("days", [-1, 0, 367])
    def test_refuses_a_lifetime(self, days: int) -> None:
        ada, at = make.user(), timezone.now()

        with pytest.raises(services.TokenLifetimeRefused):
            services.create_token(
                user=ada,
                name="long",
                scopes=[Scope.READ],
                expires_at=at + timedelta(days=days),
                actor=ada.actor,
                at=at,
            )


class TestBearer:
    def ask(self, headers: dict[str, str]) -> tuple[int, str]:
        response = Client().get("/api/v1/session", headers=headers)
        return response.status_code, response.json().get("code", "")

    def test_lets_its_person_in(self) -> None:
        assert self.ask(make.bearer(make.user())) == (200, "")

    @pytest.mark.parametrize(
        "text",
        ["", "x", "dh_", f"dh_01a20a7f01f5780891afc2a537dcd39b_{'a' * 43}", "dh_\u0000", "é" * 80],
    )
    def test_refuses_what_is_no_token(self, text: str) -> None:
        assert self.ask({"Authorization": f"Bearer {text}"}) == (401, "token_unknown")

    def test_refuses_another_secret_with_a_known_id(self) -> None:
        mine, other = make.bearer(make.user()), make.bearer(make.user())
        mixed = mine["Authorization"][:-43] + other["Authorization"][-43:]

        assert self.ask({"Authorization": mixed}) == (401, "token_unknown")

    def test_refuses_an_expired_one_and_says_so(self) -> None:
        headers = make.bearer(make.user())
        Token.objects.update(expires_at=timezone.now())

        assert self.ask(headers) == (401, "token_expired")

    def test_refuses_a_revoked_one(self) -> None:
        ada = make.user()
        headers = make.bearer(ada)
        services.revoke_token(
            user=ada, token_id=Token.objects.get().id, actor=ada.actor, at=timezone.now()
        )

        assert self.ask(headers) == (401, "token_revoked")

    def test_refuses_one_whose_person_was_shut_out(self) -> None:
        ada = make.user()
        headers = make.bearer(ada)
        ada.is_active = False
        ada.save()

        assert self.ask(headers) == (401, "token_revoked")

    def test_is_not_taken_from_the_url(self) -> None:
        text = make.bearer(make.user())["Authorization"].removeprefix("Bearer ")

        response = Client().get(f"/api/v1/session?token={text}&access_token={text}")

        assert response.status_code == 401

    def test_notes_its_use_to_the_minute(self) -> None:
        headers = make.bearer(make.user())
        self.ask(headers)
        first = Token.objects.get().last_used_at

        self.ask(headers)
        assert Token.objects.get().last_used_at == first

        Token.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
        self.ask(headers)
        assert Token.objects.get().last_used_at > first


class TestScopes:
    def test_reading_takes_read_and_writing_takes_write(self) -> None:
        ada = make.user()
        headers = make.bearer(ada, Scope.READ)

        assert Client().get("/api/v1/projects", headers=headers).status_code == 200
        refused = Client().post(
            "/api/v1/projects", {"slug": "new"}, "application/json", headers=headers
        )

        assert (refused.status_code, refused.json()["code"]) == (403, "scope_needed")
        assert refused.json()["params"] == {"scope": "write"}

    def test_operating_takes_admin(self) -> None:
        operator = make.user(is_operator=True)

        refused = Client().get("/api/v1/users", headers=make.bearer(operator, Scope.WRITE))
        allowed = Client().get("/api/v1/users", headers=make.bearer(operator, Scope.ADMIN))

        assert (refused.status_code, refused.json()["params"]) == (403, {"scope": "admin"})
        assert allowed.status_code == 200

    def test_operating_takes_an_operator(self) -> None:
        refused = Client().get("/api/v1/users", headers=make.bearer(make.user()))

        assert (refused.status_code, refused.json()["code"]) == (403, "operator_needed")


class TestTokensOverRest:
    def test_shows_the_text_once(self) -> None:
        headers = make.bearer(make.user())
        body = {"name": "ci", "scopes": ["read"], "expires_in_days": 7}

        made = Client().post("/api/v1/tokens", body, "application/json", headers=headers).json()
        listed = Client().get("/api/v1/tokens", headers=headers).json()["results"]

        assert authentication.principal_of_bearer(made["token"])
        assert [token["name"] for token in listed] == ["ci", "test"]
        assert all("token" not in token for token in listed)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"scopes": ["read"]}, "name"),
            ({"name": "x", "scopes": []}, "scopes"),
            ({"name": "x", "scopes": ["all"]}, "scopes.0"),
            ({"name": "x", "scopes": ["read"], "expires_in_days": 0}, "expires_in_days"),
            ({"name": "x", "scopes": ["read"], "expires_in_days": 9999}, "expires_in_days"),
            ({"name": "x", "scopes": ["read"], "expires_at": "2026-11-24"}, "expires_at"),
        ],
    )
    def test_names_the_field_it_refuses(self, body: dict[str, object], field: str) -> None:
        headers = make.bearer(make.user())

        refused = Client().post("/api/v1/tokens", body, "application/json", headers=headers)

        assert refused.status_code == 400
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    def test_gives_no_more_than_the_token_that_asks_has(self) -> None:
        ada = make.user()
        headers = make.bearer(ada, Scope.WRITE)
        Token.objects.update(expires_at=timezone.now() + timedelta(days=2))
        wider = {"name": "x", "scopes": ["write"], "expires_in_days": 30}

        refused = Client().post("/api/v1/tokens", wider, "application/json", headers=headers)

        assert (refused.status_code, refused.json()["code"]) == (422, "token_lifetime_refused")

    def test_revokes_at_once(self) -> None:
        headers = make.bearer(make.user())
        token = Token.objects.get()

        assert Client().delete(f"/api/v1/tokens/{token.id}", headers=headers).status_code == 204
        assert Client().get("/api/v1/tokens", headers=headers).status_code == 401

    def test_leaves_a_strangers_token_alone(self) -> None:
        make.bearer(make.user())
        theirs = Token.objects.get()

        answer = Client().delete(f"/api/v1/tokens/{theirs.id}", headers=make.bearer(make.user()))

        assert answer.status_code == 404
        theirs.refresh_from_db()
        assert theirs.revoked_at is None


class TestRunTokens:
    def test_speak_for_the_run(self) -> None:
        project, run_id = make.project(), uuid7()
        text = make.run_bearer(project, run_id=run_id)["Authorization"].removeprefix("Bearer ")

        principal = authentication.principal_of_bearer(text)

        assert text.startswith("dhr_")
        assert principal == RunPrincipal(run_id=run_id, project_id=project.id)

    def test_end_with_the_run(self) -> None:
        run_id, at = uuid7(), timezone.now()
        text = make.run_bearer(make.project(), run_id=run_id)["Authorization"][7:]

        services.revoke_run_tokens(run_id=run_id, at=at)

        with pytest.raises(selectors.TokenRevoked):
            selectors.token_of(text, at=at)

    def test_make_no_tokens_and_no_projects(self) -> None:
        headers = make.run_bearer(make.project())
        bodies = {
            "/api/v1/tokens": {"name": "x", "scopes": ["read"]},
            "/api/v1/projects": {"slug": "mine"},
        }
        for path, body in bodies.items():
            refused = Client().post(path, body, "application/json", headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "person_needed")


class TestKinds:
    def test_are_told_apart_by_their_prefix(self):
        text = credentials.text_of(credentials.KEY_PREFIX, uuid4(), credentials.new_secret())

        assert credentials.parse(text) is None
        found = credentials.parse(text, credentials.KEY_PREFIX)
        assert found is not None
        assert credentials.text_of(found.prefix, found.token_id, found.secret) == text
