import json
import threading
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from apps.accounts.models import Token
from apps.accounts.principals import RunPrincipal
from apps.common import hub
from apps.common.ids import uuid7
from apps.jobs.models import Job
from apps.live import consumers
from apps.live.topics import may_watch
from apps.projects.models import Membership, Role
from tests import make
from tests.apps.live.server import serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(transactional_db):
    with serving() as address:
        yield address


def cookie(user) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


def live(server: str, **options: Any) -> connect:
    return connect(f"ws://{server}/live", **options)


def say(socket: ClientConnection, **wish: Any) -> dict:
    socket.send(json.dumps(wish))
    return heard(socket)


def heard(socket: ClientConnection) -> dict:
    return json.loads(socket.recv(timeout=10))


def closed(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=10)
    return caught.value.rcvd.code


class TestLive:
    def test_tells_a_browser_what_it_watches(self, server):
        user = make.user()
        project = make.project(owner=user)
        topic = f"project.{project.id}"
        with live(server, additional_headers=cookie(user), origin=f"http://{server}") as socket:
            start = say(socket, watch=topic, since=None)
            assert start == {"watching": topic, "seq": start["seq"], "refetch": True}

            hub.tell(topic, {"event": "job.moved"})

            assert heard(socket) == {
                "topic": topic,
                "seq": start["seq"] + 1,
                "body": {"event": "job.moved"},
            }

    def test_goes_on_where_a_broken_socket_left_off(self, server):
        user = make.user()
        topic = f"project.{make.project(owner=user).id}"
        headers = make.bearer(user)
        with live(server, additional_headers=headers) as socket:
            seq = say(socket, watch=topic)["seq"]
        hub.tell(topic, {"n": 1})
        with live(server, additional_headers=headers) as socket:
            assert say(socket, watch=topic, since=seq)["refetch"] is False
            assert heard(socket)["body"] == {"n": 1}

    def test_is_silent_about_what_is_no_longer_watched(self, server):
        user = make.user()
        topic = f"project.{make.project(owner=user).id}"
        with live(server, additional_headers=make.bearer(user)) as socket:
            say(socket, watch=topic)
            socket.send(json.dumps({"unwatch": topic}))
            assert say(socket, watch="fleet")["watching"] == "fleet"

            hub.tell(topic, {"n": 1})
            hub.tell("fleet", {"n": 2})

            assert heard(socket)["body"] == {"n": 2}

    def test_refuses_strangers_and_what_is_not_there_alike(self, server):
        foreign = make.project(owner=make.user())
        with live(server, additional_headers=make.bearer(make.user())) as socket:
            for topic in (f"project.{foreign.id}", f"project.{uuid7()}", "nonsense"):
                assert say(socket, watch=topic) == {
                    "refused": topic,
                    "code": "not_found",
                    "params": {},
                }

    def test_ends_with_the_membership(self, server, monkeypatch):
        monkeypatch.setattr(consumers, "ASK_AGAIN_SECONDS", 0.1)
        owner, user = make.user(), make.user()
        project = make.project(owner=owner)
        membership = Membership.objects.create(project=project, user=user, role=Role.VIEWER)
        topic = f"project.{project.id}"
        with live(server, additional_headers=make.bearer(user)) as socket:
            assert say(socket, watch=topic)["watching"] == topic
            assert say(socket, watch="fleet")["watching"] == "fleet"

            membership.delete()
            assert heard(socket)["refused"] == topic

            hub.tell(topic, {"n": 1})
            hub.tell("fleet", {"n": 2})
            assert heard(socket)["body"] == {"n": 2}

    def test_ends_with_the_token(self, server, monkeypatch):
        monkeypatch.setattr(consumers, "ASK_AGAIN_SECONDS", 0.1)
        with live(server, additional_headers=make.bearer(make.user())) as socket:
            assert say(socket, watch="fleet")["watching"] == "fleet"

            Token.objects.update(revoked_at=timezone.now())

            assert closed(socket) == consumers.UNAUTHENTICATED

    def test_refuses_too_many_topics(self, server, monkeypatch):
        monkeypatch.setattr(consumers, "MAX_TOPICS", 1)
        user = make.user()
        with live(server, additional_headers=make.bearer(user)) as socket:
            say(socket, watch="fleet")
            assert "watching" in say(socket, watch="fleet")
            assert say(socket, watch=f"project.{uuid7()}")["code"] == "too_many_topics"

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer dh_no"}])
    def test_closes_on_who_is_nobody(self, server, headers):
        with live(server, additional_headers=headers, origin=f"http://{server}") as socket:
            assert closed(socket) == consumers.UNAUTHENTICATED

    def test_takes_no_cookie_beside_a_bad_bearer_and_no_token_in_the_url(self, server):
        user = make.user()
        headers = cookie(user) | {"Authorization": "Bearer dh_no"}
        with live(server, additional_headers=headers, origin=f"http://{server}") as socket:
            assert closed(socket) == consumers.UNAUTHENTICATED
        token = make.bearer(user)["Authorization"].split()[1]
        url = f"ws://{server}/live?token={token}"
        with connect(url, origin=f"http://{server}") as socket:
            assert closed(socket) == consumers.UNAUTHENTICATED

    @pytest.mark.parametrize("origin", ["https://evil.example", None])
    def test_refuses_the_cookie_of_a_foreign_page(self, server, origin):
        headers = cookie(make.user())
        with (
            pytest.raises(InvalidStatus) as caught,
            live(server, additional_headers=headers, origin=origin),
        ):
            pass
        assert caught.value.response.status_code == 403

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("{", consumers.UNREADABLE),
            ("[]", consumers.UNREADABLE),
            ("{}", consumers.UNREADABLE),
            ('{"watch": 1}', consumers.UNREADABLE),
            ('{"watch": "fleet", "since": "x"}', consumers.UNREADABLE),
            ('{"watch": "fleet", "unwatch": "fleet"}', consumers.UNREADABLE),
            (b"\x00", consumers.UNREADABLE),
            ('{"watch": "' + "x" * 5000 + '"}', consumers.TOO_LARGE),
        ],
    )
    def test_closes_on_what_it_cannot_read(self, server, text, code):
        with live(server, additional_headers=make.bearer(make.user())) as socket:
            socket.send(text)
            assert closed(socket) == code

    def test_lets_go_of_everything_when_sockets_end(self, server):
        user = make.user()
        for _ in range(3):
            with live(server, additional_headers=make.bearer(user)) as socket:
                say(socket, watch="fleet")
        assert threading.active_count() < 40

    def test_knows_no_other_socket(self, server):
        for path in ("/", "/live/", "/agent/v1/other"):
            with pytest.raises(InvalidStatus) as caught, connect(f"ws://{server}{path}"):
                pass
            assert caught.value.response.status_code == 403


class TestMayWatch:
    def test_lets_members_see_their_projects_jobs(self):
        user = make.user()
        project = make.project(owner=user)
        job = Job.objects.create(project=project, name="j", kind="script", config={})

        assert may_watch(user, f"job.{job.id}")
        assert not may_watch(make.user(), f"job.{job.id}")
        assert not may_watch(user, f"job.{uuid7()}")

    @pytest.mark.parametrize(
        "topic",
        [
            "",
            "fleet ",
            "fleet\n",
            "job.",
            "job.*",
            "secret.01a20a7c-c9ee-7f9e-9192-8e59b252d1cf",
            "node.01a20a7c-c9ee-7547-8d79-d843b71abdd1",
            "link.x",
        ],
    )
    def test_knows_no_other_topics(self, topic):
        assert not may_watch(make.user(), topic)

    def test_of_the_whole_fleet_are_for_any_person_and_for_no_run(self):
        run = RunPrincipal(run_id=uuid7(), project_id=uuid7())
        for topic in ("fleet", "fleet.live"):
            assert may_watch(make.user(), topic)
            assert not may_watch(run, topic)

    def test_knows_one_spelling_of_an_id(self):
        user = make.user()
        project = make.project(owner=user)

        assert may_watch(user, f"project.{project.id}")
        assert not may_watch(user, f"project.{str(project.id).upper()}")
        assert not may_watch(user, f"project.{project.id.hex}")
