"""Plays the part of a node's agent: what it would ask and report, without a process."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from agents.protocol.base import Reason
from agents.protocol.link import LogChunk, MetricBatch, Point, WorkloadReport
from agents.protocol.rest import OutputRequest, StartAnswer, StartRequest
from agents.protocol.specs import FileRef, WorkloadSpec, decode_spec, sha256_of
from agents.protocol.workloads import WorkloadState
from apps.artifacts import storage
from apps.artifacts import tickets as artifact_tickets
from apps.fleet.models import Node, Outbox
from apps.telemetry import services as telemetry
from apps.workloads import scheduling, selectors, services
from tests.apps.workloads.make import NOON

S = WorkloadState


class Agent:
    """Takes the newest order of its node and carries it out as told."""

    def __init__(self, node: Node, at: datetime = NOON) -> None:
        self.node = node
        self.at = at
        self.order: Outbox | None = None
        self.answer: StartAnswer | None = None

    def take_order(self) -> "Agent":
        """What the signed order names; the scheduler has its turn first."""
        scheduling.schedule_waiting(at=self.at)
        self.order = Outbox.objects.get(node=self.node, op="start", settled_at=None)
        return self

    @property
    def spec(self) -> WorkloadSpec:
        assert self.order
        body = selectors.spec_bytes(self.order.workload_id, self.node.id)
        assert sha256_of(body) == self.order.spec_sha256
        return decode_spec(body)

    def ask(self) -> "Agent":
        assert self.order
        self.answer = services.approve_start(
            workload_id=self.order.workload_id,
            node_id=self.node.id,
            request=StartRequest(fence=self.order.fence, nonce="nonce"),
            at=self.at,
        )
        return self

    def tell(self, state: WorkloadState, **fields: Any) -> "Agent":
        assert self.order
        self.at += timedelta(seconds=1)
        services.apply_report(
            node_id=self.node.id,
            report=WorkloadReport(
                seq=1,
                workload=self.order.workload_id,
                fence=self.order.fence,
                state=state,
                at=self.at.timestamp(),
                **fields,
            ),
            at=self.at,
        )
        return self

    def run(self) -> "Agent":
        """From the order to the running process."""
        self.take_order().ask()
        assert self.answer
        assert self.answer.answer == "yes", self.answer
        return self.tell(S.RUNNING)

    def succeed(self, files: dict[str, Any] | None = None) -> "Agent":
        """End well, and leave these files: bytes, or what is written as JSON."""
        self.tell(S.FINISHING, exit_code=0, log_bytes=0, metrics_bytes=0)
        return self.tell(S.SUCCEEDED, outputs=self.upload(files or {}))

    def fail(self, code: str = "boom", **fields: Any) -> "Agent":
        return self.tell(S.FAILED, reason=Reason(code=code), **fields)

    def write_log(self, data: bytes) -> None:
        """The payload's output, from its beginning."""
        assert self.order
        now = self.at.timestamp()
        chunk = LogChunk(
            workload=self.order.workload_id, fence=self.order.fence, offset=0, at=now, data=data
        )
        telemetry.append_logs(sent=[telemetry.Sent(self.node.id, 0.0, chunk)], at=self.at)

    def write_points(self, *points: tuple[str, int, float]) -> None:
        """The payload's metrics, from their beginning."""
        assert self.order
        now = self.at.timestamp()
        batch = MetricBatch(
            workload=self.order.workload_id,
            fence=self.order.fence,
            offset=0,
            end=100,
            points=[Point(name, step, value, now) for name, step, value in points],
        )
        telemetry.append_points(sent=[telemetry.Sent(self.node.id, 0.0, batch)], at=self.at)

    def upload(self, files: dict[str, Any]) -> list[FileRef]:
        refs = []
        for path, content in files.items():
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            refs.append(self._upload(path, body))
        return refs

    def _upload(self, path: str, body: bytes) -> FileRef:
        assert self.order
        ref = FileRef(path=path, digest=hashlib.sha256(body).hexdigest(), size=len(body))
        answer = services.request_output(
            workload_id=self.order.workload_id,
            node_id=self.node.id,
            request=OutputRequest(fence=self.order.fence, digest=ref.digest, size=ref.size),
            at=self.at,
        )
        if not answer.stored:
            ticket = artifact_tickets.read(answer.upload_url.removeprefix("/transfer/"), now=0)
            assert ticket.upload
            store_bytes(ticket.upload, body)
            services.finish_output(
                workload_id=self.order.workload_id,
                node_id=self.node.id,
                digest=ref.digest,
                fence=self.order.fence,
                at=self.at,
            )
        return ref


def store_bytes(upload: Any, body: bytes) -> None:
    """Write an upload's bytes as the transfer door would."""
    incoming = storage.store().receive(upload)
    try:
        incoming.write(body)
        incoming.sync()
    finally:
        incoming.close()
