"""A node at the other end of a real link."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
from django.utils import timezone
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from agents.protocol.base import Message
from agents.protocol.link import (
    Ack,
    Block,
    Heartbeat,
    Hello,
    Live,
    LogChunk,
    Look,
    MetricBatch,
    Point,
    Welcome,
    WorkloadReport,
    decode_body,
    decode_frame,
    encode_frame,
    tag_of,
)
from agents.protocol.rest import StartRequest
from agents.protocol.workloads import WorkloadState
from apps.fleet import services as fleet
from apps.workloads import scheduling, services
from apps.workloads.models import Workload
from tests.apps.fleet.hosts import Host, inventory
from tests.apps.workloads import make as gangs

KINDS: dict[str, type[Message]] = {tag_of(kind): kind for kind in (Welcome, Ack, Look)}


class FakeNode:
    """Joined, with a bearer; opens as many links as a test likes."""

    def __init__(self, server: str) -> None:
        host = Host()
        self.id: UUID = host.join(
            name=f"node-{time.monotonic_ns()}", inventory=inventory(devices=[])
        ).node
        nonce = fleet.challenge(node_id=self.id, at=timezone.now())
        answer = fleet.issue_node_token(request=host.answer(self.id, nonce), at=timezone.now())
        self.bearer = answer.token
        self._server = server

    @contextmanager
    def link(self, **hello: Any) -> Iterator["FakeLink"]:
        headers = {"Authorization": f"Bearer {self.bearer}"}
        url = f"ws://{self._server}/agent/v1/link"
        with connect(url, additional_headers=headers) as socket:
            yield FakeLink(self, socket, hello)

    def workload(self) -> Workload:
        """One that this node may start, once it has said hello."""
        gang = gangs.gang()
        scheduling.schedule_waiting(at=timezone.now())
        workload = Workload.objects.select_related("gang").get(gang=gang)
        answer = services.approve_start(
            workload_id=workload.id,
            node_id=self.id,
            request=StartRequest(fence=gang.fence, nonce="nonce"),
            at=timezone.now(),
        )
        assert answer.answer == "yes"
        return workload


class FakeLink:
    def __init__(self, node: FakeNode, socket: ClientConnection, hello: dict[str, Any]) -> None:
        self.node = node
        self.socket = socket
        self._heard: list[Message] = []
        self._hello = hello

    def greet(self) -> Welcome:
        plain = {
            "protocol_version": 1,
            "agent_version": "1",
            "boot_id": "boot",
            "sent_at": time.time(),
            "inventory": inventory(devices=[]),
        }
        self.say(Hello(**{**plain, **self._hello}))
        return self.hear(Welcome)

    def say(self, *messages: Message) -> None:
        self.socket.send(encode_frame(*messages))

    def hear(self, kind: type[Any]) -> Any:
        """The next message of a kind; what came before it is passed over."""
        while True:
            while self._heard:
                message = self._heard.pop(0)
                if isinstance(message, kind):
                    return message
            frame = self.socket.recv(timeout=10)
            assert isinstance(frame, bytes)
            for item in decode_frame(frame):
                self._heard.append(decode_body(item, KINDS[item.tag]))

    def acked(self, *messages: Message) -> Ack:
        """Say something and hear that it is durable."""
        self.hear_nothing_more()
        self.say(*messages)
        return self.hear(Ack)

    def hear_nothing_more(self) -> None:
        self._heard.clear()

    def close_code(self) -> int | None:
        """How the control plane ends the link, whatever it says before."""
        try:
            while True:
                self.socket.recv(timeout=10)
        except ConnectionClosed:
            return self.socket.close_code


def report(workload: Workload, seq: int, state: WorkloadState, **fields: Any) -> WorkloadReport:
    return WorkloadReport(
        seq=seq,
        workload=workload.id,
        fence=fields.pop("fence", workload.gang.fence),
        state=state,
        at=time.time(),
        **fields,
    )


def chunk(workload: Workload, offset: int, data: bytes, **fields: Any) -> LogChunk:
    plain = LogChunk(
        workload=workload.id, fence=workload.gang.fence, offset=offset, at=time.time(), data=data
    )
    return msgspec.structs.replace(plain, **fields)


def batch(workload: Workload, offset: int, end: int, *values: float) -> MetricBatch:
    points = [Point("loss", step, value, time.time()) for step, value in enumerate(values)]
    return MetricBatch(
        workload=workload.id, fence=workload.gang.fence, offset=offset, end=end, points=points
    )


def block(seq: int, data: bytes) -> Block:
    return Block(seq=seq, start=time.time(), data=data)


def heartbeat() -> Heartbeat:
    return Heartbeat(sent_at=time.time())


def readings() -> Live:
    return Live(at=time.time(), host={"cpu_percent": 12.5, "load_1": None})
