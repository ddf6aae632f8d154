"""What is open ends when access does: within seconds, not when somebody looks again."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from apps.accounts import services as accounts
from apps.accounts.models import Token, User
from apps.common.actors import SYSTEM
from apps.common.ids import uuid7
from apps.fleet import services as fleet
from apps.ingest import consumers as links
from apps.live import consumers
from apps.projects import services as projects
from apps.projects.models import Project, Role
from tests import make
from tests.apps.ingest.node import FakeNode
from tests.apps.live.server import serving

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 5.0


@pytest.fixture
def server(transactional_db: None) -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def project() -> Project:
    return make.project(owner=make.user("the-owner"))


def watching(socket: ClientConnection, topic: str) -> bool:
    socket.send(json.dumps({"watch": topic}))
    return "watching" in json.loads(socket.recv(timeout=10))


def ended(socket: ClientConnection) -> int | str:
    """The code that a socket is closed with, or the topic that it is refused, within seconds."""
    try:
        while True:
            said = json.loads(socket.recv(timeout=SECONDS))
            if "refused" in said:
                return str(said["refused"])
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else "no code"


def _leaves(person: User, project: Project) -> None:
    projects.remove_member(
        project=project, user_id=person.id, by=Role.OWNER, actor=SYSTEM, at=timezone.now()
    )


def _is_shut_out(person: User, project: Project) -> None:
    make.user(is_operator=True)
    accounts.change_user(user_id=person.id, is_active=False, actor=SYSTEM, at=timezone.now())


def _loses_the_token(person: User, project: Project) -> None:
    token = Token.objects.get(user=person)
    accounts.revoke_token(user=person, token_id=token.id, actor=SYSTEM, at=timezone.now())


@pytest.mark.parametrize(
    ("happens", "end"),
    [(_leaves, "topic"), (_is_shut_out, 4401), (_loses_the_token, 4401)],
)
def test_a_program_hears_nothing_after_its_access(
    server: str, project: Project, happens: Callable[[User, Project], None], end: object
) -> None:
    person = make.member(project)
    topic = f"project.{project.id}"
    with connect(f"ws://{server}/live", additional_headers=make.bearer(person)) as socket:
        assert watching(socket, topic)
        happens(person, project)
        assert ended(socket) == (topic if end == "topic" else end)


def test_a_run_hears_nothing_after_its_end(server: str, project: Project) -> None:
    run_id = uuid7()
    headers = make.run_bearer(project, run_id=run_id)
    with connect(f"ws://{server}/live", additional_headers=headers) as socket:
        assert watching(socket, f"project.{project.id}")
        accounts.revoke_run_tokens(run_id=run_id, at=timezone.now())
        assert ended(socket) == consumers.UNAUTHENTICATED


def _signs_out(client: Client) -> None:
    assert client.delete("/api/v1/session").status_code == 204


def _changes_the_password(client: Client) -> None:
    body = {"password": "another fine battery"}
    answer = client.put("/api/v1/session/password", body, content_type="application/json")
    assert answer.status_code == 204


@pytest.mark.parametrize("happens", [_signs_out, _changes_the_password])
def test_a_page_is_let_go_with_its_session(
    server: str, project: Project, happens: Callable[[Client], None]
) -> None:
    client, person = Client(), make.member(project)
    client.force_login(person)

    def opened() -> Any:
        cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
        return connect(f"ws://{server}/live", additional_headers=cookie, origin=f"http://{server}")

    with opened() as socket:
        assert watching(socket, f"project.{project.id}")
        happens(client)
        assert ended(socket) == consumers.SESSION_OVER

    with opened() as socket:  # the page comes again, with the session that it has now
        if happens is _signs_out:
            assert ended(socket) == consumers.UNAUTHENTICATED
        else:
            assert watching(socket, f"project.{project.id}")


def test_nobody_may_watch_whose_access_changes(server: str, project: Project) -> None:
    person = make.user(is_operator=True)
    with connect(f"ws://{server}/live", additional_headers=make.bearer(person)) as socket:
        assert not watching(socket, f"access.{person.id}")


def test_a_node_that_is_removed_is_let_go(server: str, settings: Any, tmp_path: Any) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    node = FakeNode(server)
    with node.link() as link:
        link.greet()
        began = timezone.now()
        fleet.remove(node_id=node.id, actor=SYSTEM, at=began)
        assert link.close_code() == links.REMOVED
        assert (timezone.now() - began).total_seconds() < SECONDS
