"""Operators shut people out, let them in again, and make others operators."""

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import authentication, services
from apps.accounts.models import User
from apps.audit.models import Entry
from tests import make
from tests.make import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> User:
    return make.user(is_operator=True)


def change(operator: User, user: User, **fields: object):
    return Client(headers=make.bearer(operator)).patch(
        f"/api/v1/users/{user.id}", fields, "application/json"
    )


def signed_in(user: User) -> Client:
    client = Client()
    answer = client.post(
        "/api/v1/session",
        {"username": user.username, "password": PASSWORD},
        "application/json",
    )
    assert answer.status_code == 200
    return client


class TestShuttingOut:
    def test_ends_sessions_tokens_and_links(self, operator: User) -> None:
        ada, ben = make.user("ada", password=PASSWORD), make.user("ben", password=PASSWORD)
        browser, other = signed_in(ada), signed_in(ben)
        token = make.bearer(ada)["Authorization"].removeprefix("Bearer ")
        link = services.create_sign_in_link(user=ada, at=timezone.now())

        answer = change(operator, ada, is_active=False)

        assert (answer.status_code, answer.json()["is_active"]) == (200, False)
        assert browser.get("/api/v1/session").status_code == 401
        assert other.get("/api/v1/session").status_code == 200
        assert authentication.principal_of_bearer(token) is None
        assert Client().get(link).status_code == 404

    def test_leaves_them_ended_when_the_person_is_back(self, operator: User) -> None:
        ada = make.user("ada", password=PASSWORD)
        browser = signed_in(ada)
        token = make.bearer(ada)["Authorization"].removeprefix("Bearer ")
        link = services.create_sign_in_link(user=ada, at=timezone.now())
        change(operator, ada, is_active=False)

        assert change(operator, ada, is_active=True).json()["is_active"] is True

        assert browser.get("/api/v1/session").status_code == 401
        assert authentication.principal_of_bearer(token) is None
        assert Client().get(link).status_code == 404
        signed_in(ada)

    def test_is_noted_once(self, operator: User) -> None:
        ada = make.user()

        for _ in range(2):
            change(operator, ada, is_active=False)

        entry = Entry.objects.get(action="user.change")
        assert (entry.actor_id, entry.object_id) == (operator.id, ada.id)
        assert entry.detail == {"username": ada.username, "changed": {"is_active": False}}


class TestOperators:
    def test_make_others(self, operator: User) -> None:
        ada = make.user()

        assert change(operator, ada, is_operator=True).json()["is_operator"] is True
        ada.refresh_from_db()
        assert change(ada, operator, is_operator=False).json()["is_operator"] is False

    @pytest.mark.parametrize("field", ["is_active", "is_operator"])
    def test_stay_at_least_one(self, operator: User, field: str) -> None:
        make.user(is_operator=True, is_active=False)

        answer = change(operator, operator, **{field: False})

        assert (answer.status_code, answer.json()["code"]) == (409, "last_operator")
        operator.refresh_from_db()
        assert operator.is_active
        assert operator.is_operator

    def test_are_the_only_ones_who_may(self, operator: User) -> None:
        ada = make.user()

        answer = change(ada, ada, is_operator=True)

        assert (answer.status_code, answer.json()["code"]) == (403, "operator_needed")

    def test_are_told_of_who_is_not_there(self, operator: User) -> None:
        assert change(operator, User(), is_active=False).status_code == 404

    def test_are_refused_other_fields(self, operator: User) -> None:
        assert change(operator, make.user(), username="eve").status_code == 400
