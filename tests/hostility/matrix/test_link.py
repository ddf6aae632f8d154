"""What a node may say on its link: of its own living workloads, under their fence."""

import time
from collections import Counter
from collections.abc import Callable
from uuid import UUID, uuid4

import msgspec
import pytest
from django.db import models, transaction
from django.utils import timezone

from agents.protocol.base import Message
from agents.protocol.link import (
    Heartbeat,
    LogChunk,
    MetricBatch,
    Point,
    RunningWorkload,
    WorkloadReport,
)
from agents.protocol.workloads import WorkloadState
from apps.artifacts.models import Upload
from apps.fleet.models import Outbox
from apps.ingest import router
from apps.jobs.models import Job, Run
from apps.telemetry.models import LogChunk as StoredLog
from apps.telemetry.models import MetricPoint
from apps.workloads.models import Gang, Lease, Workload
from tests.hostility.matrix.declared import WHO
from tests.hostility.matrix.world import World

pytestmark = pytest.mark.django_db

TOUCHED: list[type[models.Model]] = [
    Workload,
    Gang,
    Lease,
    Run,
    Job,
    StoredLog,
    MetricPoint,
    Upload,
]


class Link:
    """One end of a link; answers go nowhere but to the test."""

    def __init__(self, node_id: UUID) -> None:
        self.node_id = node_id
        self.skew = 0.0

    def answer(self, answer: router.Answer) -> None: ...

    def fail(self) -> None: ...


def messages(workload: UUID, fence: int) -> list[Message]:
    """One of every kind that speaks of a workload."""
    now = time.time()
    report = WorkloadReport(
        seq=2**40, workload=workload, fence=fence, state=WorkloadState.FAILED, at=now, exit_code=1
    )
    return [
        report,
        msgspec.structs.replace(report, state=WorkloadState.SUCCEEDED, exit_code=0),
        msgspec.structs.replace(report, state=WorkloadState.RUNNING, exit_code=None),
        LogChunk(workload=workload, fence=fence, offset=0, at=now, data=b"forged"),
        MetricBatch(
            workload=workload, fence=fence, offset=0, end=9, points=[Point("loss", 9, 9.0, now)]
        ),
    ]


def rows() -> dict[str, list[tuple[object, ...]]]:
    """All that such a message could change."""
    return {kind.__name__: sorted(kind.objects.values_list(), key=repr) for kind in TOUCHED}


# whose workload, and by which fence, as seen from the node that speaks
CLAIMS: dict[str, Callable[[World], tuple[UUID, int]]] = {
    "another node's": lambda w: (w.theirs.workload.id, w.theirs.workload.gang.fence),
    "another node's, by our fence": lambda w: (w.theirs.workload.id, w.ours.workload.gang.fence),
    "its own, by an older fence": lambda w: (w.ours.workload.id, w.ours.workload.gang.fence - 1),
    "its own, by a future fence": lambda w: (w.ours.workload.id, w.ours.workload.gang.fence + 1),
    "its own, by another's fence": lambda w: (w.ours.workload.id, w.theirs.workload.gang.fence),
    "its own by no fence": lambda w: (w.ours.workload.id, 0),
    "one that never was": lambda w: (uuid4(), 1),
    "one not placed yet": lambda w: (
        Workload.objects.get(gang__owner_id=w.ours.waiting.runs.get().id).id,
        0,
    ),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_message_of_what_is_not_its_own_changes_nothing(
    world: World, claim: str, record_cells: Counter[str]
) -> None:
    workload, fence = CLAIMS[claim](world)
    for message in messages(workload, fence):
        before = rows()
        with transaction.atomic():
            answer = said(world.node.id, message)
            after = rows()
            transaction.set_rollback(True)
        assert after == before, (claim, type(message).__name__)
        assert answer.refused == {workload}, (claim, type(message).__name__)
        record_cells["link messages"] += 1


def test_a_report_of_what_is_over_changes_nothing(world: World, record_cells: Counter[str]) -> None:
    over = world.ours.over
    for message in messages(over.id, over.gang.fence):
        if not isinstance(message, WorkloadReport):
            continue
        before = rows()
        with transaction.atomic():
            said(world.node.id, message)
            after = rows()
            transaction.set_rollback(True)
        assert after == before, message
        record_cells["link messages"] += 1


def test_its_own_are_taken(world: World) -> None:
    """The messages above are refused for whose they are, not for their form."""
    own = world.ours.workload
    for message in messages(own.id, own.gang.fence)[:1] + messages(own.id, own.gang.fence)[3:]:
        before = rows()
        with transaction.atomic():
            answer = said(world.node.id, message)
            changed = rows() != before
            transaction.set_rollback(True)
        assert changed, message
        assert not answer.refused


@pytest.mark.parametrize("state", [WorkloadState.RUNNING, WorkloadState.FINISHING])
def test_a_heartbeat_that_claims_anothers_workload_leaves_it_alone(
    world: World, state: WorkloadState, record_cells: Counter[str]
) -> None:
    """Whoever claims it is told to stop it, and nobody else is."""
    theirs, ours = world.theirs.workload, world.ours.workload
    # a beat was missed before: only the workload's own node may make that good
    with transaction.atomic():
        Workload.objects.filter(pk=theirs.id).update(missed_heartbeats=1)
        before = Workload.objects.filter(pk=theirs.id).values().get()
        orders = set(Outbox.objects.values_list("pk", flat=True))
        claimed = [
            RunningWorkload(workload=theirs.id, fence=theirs.gang.fence, state=state),
            RunningWorkload(workload=ours.id, fence=ours.gang.fence, state=WorkloadState.RUNNING),
        ]
        said(world.node.id, Heartbeat(sent_at=time.time(), running=claimed))
        after = Workload.objects.filter(pk=theirs.id).values().get()
        made = Outbox.objects.exclude(pk__in=orders)
        told = {(order.node_id, order.op, order.workload_id) for order in made}
        transaction.set_rollback(True)
    assert after == before
    assert told <= {(world.node.id, "stop", theirs.id)}
    assert told or state is not WorkloadState.RUNNING
    record_cells["link messages"] += 1


def test_the_doors_of_nodes_answer_of_another_nodes_workload_as_of_none(
    world: World, record_cells: Counter[str]
) -> None:
    theirs, ours = world.theirs.workload, world.ours.workload
    own = {"fence": theirs.gang.fence, "nonce": "n", "digest": "0" * 64, "size": 1}
    for path in ("start", "outputs", "outputs/finish", "spec"):
        method = "GET" if path == "spec" else "POST"
        answers = []
        for workload in (theirs.id, uuid4()):
            address = f"/agent/v1/workloads/{workload}/{path}"
            answer = world.ask(WHO["node"], method, address, None if method == "GET" else own)
            answers.append((answer.status, answer.text.replace(str(workload), "*")))
        assert answers[0] == answers[1], path
        future = own | {"fence": ours.gang.fence + 1}
        if method == "POST":
            address = f"/agent/v1/workloads/{ours.id}/{path}"
            answer = world.ask(WHO["node"], method, address, future)
            assert answer.status == 409 or '"no"' in answer.text, (path, answer)
        record_cells["node doors"] += 2


def said(node_id: UUID, message: Message) -> router.Answer:
    link = Link(node_id)
    entry = router.Entry(link, [message], 100)
    return router.write([entry], at=timezone.now())[link]
