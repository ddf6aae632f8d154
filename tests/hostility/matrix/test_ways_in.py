"""What lets somebody in once lets nobody in twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import SignInLink
from apps.common.errors import DomainError
from apps.fleet import services as fleet
from apps.fleet.models import JoinToken, Node
from tests import make
from tests.apps.fleet.hosts import Host, invite_now

pytestmark = pytest.mark.django_db


def test_a_sign_in_link_works_once() -> None:
    path = accounts.create_sign_in_link(user=make.user(), at=timezone.now())
    first, second = Client(), Client()

    assert first.get(path).status_code == 302
    assert second.get(path).status_code == 404
    assert second.get("/api/v1/session").status_code == 401


def test_a_sign_in_link_that_is_late_or_guessed_is_none() -> None:
    path = accounts.create_sign_in_link(user=make.user(), at=timezone.now())
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    answers = [Client().get(path), Client().get(path[:-1] + "_")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


def test_a_session_planted_before_the_sign_in_is_not_the_one_after() -> None:
    planted = Client()
    planted.force_login(make.user())
    before = planted.cookies["sessionid"].value
    make.user("victim", password=make.PASSWORD)

    body = {"username": "victim", "password": make.PASSWORD}
    planted.post("/api/v1/session", body, content_type="application/json")

    assert planted.cookies["sessionid"].value != before
    thief = Client()
    thief.cookies["sessionid"] = before
    assert thief.get("/api/v1/session").status_code == 401


def test_an_invitation_brings_in_one_node(settings: Any, tmp_path: Any) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    token = invite_now()
    fleet.join(request=Host().request(token), at=timezone.now())

    with pytest.raises(DomainError):
        fleet.join(request=Host().request(token), at=timezone.now())
    assert Node.objects.count() == 1


def test_an_invitation_that_is_late_brings_in_none(settings: Any, tmp_path: Any) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    token = invite_now()
    JoinToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(DomainError):
        fleet.join(request=Host().request(token), at=timezone.now())
    assert not Node.objects.exists()
