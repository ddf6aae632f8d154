"""The nodes' HTTPS doors, as a node's own HTTP client meets them."""

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from agents.protocol.rest import (
    Challenge,
    ChallengeRequest,
    Desired,
    JoinAnswer,
    OutputAnswer,
    OutputFinished,
    OutputRequest,
    Problem,
    StartAnswer,
    TokenAnswer,
)
from agents.protocol.specs import sha256_of
from apps.accounts import services as accounts
from apps.accounts.scopes import Scope
from apps.common.actors import SYSTEM
from apps.fleet import services as fleet
from apps.fleet.models import Node, Outbox
from apps.workloads import scheduling
from apps.workloads.models import Workload
from tests import make
from tests.apps.fleet.hosts import Host
from tests.apps.workloads import make as make_workloads

pytestmark = pytest.mark.django_db


class Doors:
    """What a node sends and is told."""

    def __init__(self) -> None:
        self.http = Client()
        self.bearer = ""

    def post(self, path: str, body: Any) -> Any:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return self.http.post(
            f"/agent/v1/{path}", raw, content_type="application/json", headers=self.headers
        )

    def ask(self, method: str, path: str) -> Any:
        return self.get(path) if method == "get" else self.post(path, b"{}")

    def get(self, path: str) -> Any:
        return self.http.get(f"/agent/v1/{path}", headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}

    def joined(self, host: Host) -> JoinAnswer:
        _, token = fleet.create_join_token(created_by=make.user(), actor=SYSTEM, at=timezone.now())
        answer = self.post("join", host.request(token))
        assert answer.status_code == 200, answer.content
        return msgspec.json.decode(answer.content, type=JoinAnswer)

    def sign_in(self, host: Host, node: Any) -> TokenAnswer:
        asked = self.post("challenge", ChallengeRequest(node=node))
        nonce = msgspec.json.decode(asked.content, type=Challenge).nonce
        answer = self.post("token", host.answer(node, nonce))
        assert answer.status_code == 200, answer.content
        told = msgspec.json.decode(answer.content, type=TokenAnswer)
        self.bearer = told.token
        return told


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def host() -> Host:
    return Host()


def problem(answer: Any, status: int, code: str) -> Problem:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    told = msgspec.json.decode(answer.content, type=Problem)
    assert told.code == code
    return told


class TestTheWayIn:
    def test_leads_from_a_token_to_the_orders(self, doors: Doors, host: Host) -> None:
        joined = doors.joined(host)
        told = doors.sign_in(host, joined.node)
        answer = doors.get("desired")

        assert answer.status_code == 200
        assert msgspec.json.decode(answer.content, type=Desired).envelopes == []
        assert told.expires_in == 900
        assert abs(told.server_time - timezone.now().timestamp()) < 60

    def test_tells_why_a_token_is_refused(self, doors: Doors, host: Host) -> None:
        told = problem(doors.post("join", host.request("dhj_wrong")), 403, "join_token_unknown")

        assert "datahall nodes join-token" in told.detail

    def test_is_shut_for_a_wrong_signature(self, doors: Doors, host: Host) -> None:
        node = doors.joined(host).node
        asked = doors.post("challenge", ChallengeRequest(node=node))
        nonce = msgspec.json.decode(asked.content, type=Challenge).nonce

        answer = doors.post("token", Host().answer(node, nonce))
        problem(answer, 401, "node_credential_refused")

    def test_does_not_say_which_nodes_there_are(self, doors: Doors, host: Host) -> None:
        assert doors.post("challenge", ChallengeRequest(node=uuid4())).status_code == 200


WORKLOAD = UUID(int=5)
NODES_ONLY = [
    ("get", "desired"),
    ("get", f"workloads/{WORKLOAD}/spec"),
    ("post", f"workloads/{WORKLOAD}/start"),
    ("post", f"workloads/{WORKLOAD}/outputs"),
    ("post", f"workloads/{WORKLOAD}/outputs/finish"),
]


class TestBearer:
    @pytest.mark.parametrize(("method", "path"), NODES_ONLY)
    def test_is_needed(self, doors: Doors, method: str, path: str) -> None:
        answer = doors.ask(method, path)

        problem(answer, 401, "node_bearer_refused")
        assert answer["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize(("method", "path"), NODES_ONLY)
    def test_of_a_person_opens_nothing(self, doors: Doors, method: str, path: str) -> None:
        _, doors.bearer = accounts.create_token(
            user=make.user(is_operator=True),
            name="all",
            scopes=list(Scope),
            expires_at=timezone.now() + timedelta(days=1),
            actor=SYSTEM,
            at=timezone.now(),
        )

        problem(doors.ask(method, path), 401, "node_bearer_refused")

    def test_of_a_session_opens_nothing(self, doors: Doors) -> None:
        doors.http.force_login(make.user(is_operator=True))

        problem(doors.get("desired"), 401, "node_bearer_refused")

    def test_of_a_removed_node_opens_nothing(self, doors: Doors, host: Host) -> None:
        doors.sign_in(host, doors.joined(host).node)
        Node.objects.update(removed_at=timezone.now())

        problem(doors.get("desired"), 401, "node_bearer_refused")


class TestDesired:
    def test_lists_the_nodes_own_envelopes_that_hold(self, doors: Doors, host: Host) -> None:
        node = doors.joined(host).node
        doors.sign_in(host, node)
        later = timezone.now() + timedelta(minutes=5)
        order(node_id=node, envelope="mine", expires_at=later)
        order(node_id=node, envelope="too old", expires_at=timezone.now())
        order(node_id=node, envelope="settled", expires_at=later, settled_at=timezone.now())
        order(node_id=node, envelope="", expires_at=None)
        order(node_id=make.node().id, envelope="another's", expires_at=later)

        body = doors.get("desired").content
        assert msgspec.json.decode(body, type=Desired).envelopes == ["mine"]


def order(**fields: object) -> Outbox:
    return Outbox.objects.create(
        op="start", gang_id=uuid4(), workload_id=uuid4(), fence=1, **fields
    )


class TestSpec:
    def test_of_a_workload_that_is_not_the_nodes_is_not_found(
        self, doors: Doors, host: Host
    ) -> None:
        doors.sign_in(host, doors.joined(host).node)

        problem(doors.get(f"workloads/{uuid4()}/spec"), 404, "not_found")


class TestAWorkloadsRoad:
    """What a node asks between an order and its end."""

    @pytest.fixture(autouse=True)
    def store(self, settings, tmp_path) -> None:
        settings.ARTIFACTS_DIR = tmp_path

    @pytest.fixture
    def workload(self, doors: Doors, host: Host) -> Workload:
        """Assigned to the node that is signed in."""
        node = doors.joined(host).node
        doors.sign_in(host, node)
        fleet.renew_contact(node_ids=[node], at=timezone.now())
        gang = make_workloads.gang()
        scheduling.schedule_waiting(at=timezone.now())
        return gang.workloads.select_related("gang").get()

    @staticmethod
    def ask(doors: Doors, workload: Workload, **changes: Any) -> Any:
        request = {"fence": workload.gang.fence, "nonce": "n", **changes}
        return doors.post(f"workloads/{workload.id}/start", request)

    def start(self, doors: Doors, workload: Workload) -> StartAnswer:
        answer = self.ask(doors, workload)
        assert answer.status_code == 200, answer.content
        return msgspec.json.decode(answer.content, type=StartAnswer)

    def test_begins_with_the_exact_bytes_of_the_spec(
        self, doors: Doors, workload: Workload
    ) -> None:
        body = doors.get(f"workloads/{workload.id}/spec").content

        assert sha256_of(body) == workload.spec_sha256

    def test_goes_on_with_a_yes(self, doors: Doors, workload: Workload) -> None:
        told = self.start(doors, workload)

        assert told.answer == "yes"
        assert told.run_token
        assert told.project == workload.gang.project.slug

    def test_is_not_another_nodes(self, doors: Doors, workload: Workload) -> None:
        stranger = Host()
        other = doors.joined(stranger).node
        doors.sign_in(stranger, other)

        assert doors.get(f"workloads/{workload.id}/spec").status_code == 404
        assert self.start(doors, workload).answer == "no"

    @pytest.mark.parametrize(
        "odd",
        [{"nonce": ""}, {"nonce": "n" * 65}, {"port": 0}, {"port": 2**40}, {"fence": 1.5}],
        ids=repr,
    )
    def test_does_not_go_on_with_an_odd_request(
        self, doors: Doors, workload: Workload, odd: dict[str, Any]
    ) -> None:
        problem(self.ask(doors, workload, **odd), 422, "message_refused")

    def test_ends_with_outputs(self, doors: Doors, workload: Workload) -> None:
        self.start(doors, workload)
        data = b"weights"
        digest = sha256_of(data)
        wanted = OutputRequest(fence=workload.gang.fence, digest=digest, size=len(data))
        answer = doors.post(f"workloads/{workload.id}/outputs", wanted)
        assert answer.status_code == 200, answer.content
        told = msgspec.json.decode(answer.content, type=OutputAnswer)
        assert not told.stored
        assert told.upload_url.startswith("/transfer/")

        finished = OutputFinished(fence=workload.gang.fence, digest=digest)
        path = f"workloads/{workload.id}/outputs/finish"
        assert doors.post(path, finished).status_code >= 400  # nothing was sent yet

        make.artifact(workload.gang.project, data)
        assert doors.post(path, finished).status_code == 204

    def test_of_a_stale_fence_brings_nothing_home(self, doors: Doors, workload: Workload) -> None:
        self.start(doors, workload)
        stale = OutputRequest(fence=workload.gang.fence - 1, digest="ab" * 32, size=1)

        problem(doors.post(f"workloads/{workload.id}/outputs", stale), 409, "stale_fence")


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b'{"node": 5}',
            b'{"node": "not a uuid"}',
            b"\xff\xfe",
            b'{"node": "\\ud800"}',
            b"[" * 100_000,
        ],
        ids=lambda body: repr(body[:20]),
    )
    def test_that_are_no_message_are_refused(self, doors: Doors, body: bytes) -> None:
        problem(doors.post("challenge", body), 422, "message_refused")

    def test_with_a_nul_are_refused(self, doors: Doors, host: Host) -> None:
        body = msgspec.json.encode(host.request("dhj_\0"))

        problem(doors.post("join", body), 422, "message_refused")

    def test_with_deep_facts_are_refused(self, doors: Doors, host: Host) -> None:
        plain = msgspec.json.encode(host.request("dhj_x"))
        deep = b'"facts":' + b'{"a":' * 5000 + b"1" + b"}" * 5000
        body = plain.replace(b'"hostname"', deep + b',"hostname"', 1)
        assert body != plain
        answer = doors.post("join", body)

        assert answer.status_code == 422

    def test_that_are_too_large_are_refused(self, doors: Doors, host: Host) -> None:
        body = msgspec.json.encode(host.request("x" * 300_000))

        problem(doors.post("join", body), 413, "message_too_large")

    def test_with_fields_of_a_newer_agent_are_read(self, doors: Doors) -> None:
        body = {"node": str(uuid4()), "invented_later": {"a": 1}}

        assert doors.post("challenge", body).status_code == 200

    def test_with_a_signature_that_is_no_base64_are_refused(self, doors: Doors, host: Host) -> None:
        node = doors.joined(host).node
        body = {"node": str(node), "nonce": "x", "signature": "%%%"}

        problem(doors.post("token", body), 401, "node_credential_refused")

    def test_are_told_of_in_the_readers_language(self, doors: Doors) -> None:
        answer = doors.http.post(
            "/agent/v1/challenge",
            b"{}",
            content_type="application/json",
            headers={"Accept-Language": "zh-CN"},
        )

        assert "节点" in answer.json()["detail"]

    def test_are_not_read_by_get(self, doors: Doors) -> None:
        assert doors.get("join").status_code == 405


def test_public_keys_travel_as_raw_base64(doors: Doors, host: Host, settings, tmp_path) -> None:
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    key = fleet.ensure_signing_key()

    told = doors.joined(host).signing_keys
    assert {kid: base64.b64decode(text) for kid, text in told.items()} == {
        key.kid: bytes(key.public_key)
    }
