"""The one way a workload takes an edge, and what goes with it.

Called by the other writers of this package, under the gang's lock.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from agents.protocol.base import Reason
from agents.protocol.workloads import Cause, WorkloadState
from apps.common import reasons
from apps.common.errors import DomainError
from apps.common.events import publish
from apps.fleet import dispatch
from apps.fleet import services as fleet
from apps.workloads import selectors
from apps.workloads.events import RoomFreed, WorkloadMoved
from apps.workloads.models import Gang, Lease, Workload, WorkloadEvent

# of what is remembered of one workload: a queue that changes its mind, or a node that comes and
# goes, must not fill the table; reasons to wait leave room for moves, and the end is always kept
MOST_WAITS, MOST_EVENTS = 60, 200
MOST_FORGOTTEN = 50_000  # events in one turn


class StaleFence(DomainError):
    """The node speaks of a workload that is not, or no longer, its own."""


def lock(gang_id: UUID) -> tuple[Gang, list[Workload]]:
    gang = Gang.objects.select_for_update(of=("self",)).select_related("project").get(pk=gang_id)
    workloads = (
        Workload.objects.select_for_update(of=("self",))
        .filter(gang=gang)
        .select_related("node")
        .order_by("rank")
    )
    return gang, list(workloads)


def lock_of(workload_id: UUID) -> tuple[Gang | None, list[Workload]]:
    gang_id = Workload.objects.filter(pk=workload_id).values_list("gang_id", flat=True).first()
    return (None, []) if gang_id is None else lock(gang_id)


def move(
    gang: Gang,
    workload: Workload,
    state: WorkloadState,
    *,
    at: datetime,
    reason: Reason | None = None,
    **facts: Any,
) -> None:
    """Take one edge: compare and set, give room back when the process is gone, say so."""
    before = WorkloadState(workload.state)
    if not before.may_become(state):
        raise ValueError(f"{before} may not become {state}")
    if state is WorkloadState.RUNNING:
        facts.setdefault("started_at", at)
    if reason is not None:
        facts["reason"] = reasons.to_row(reason)
    elif state is WorkloadState.SUCCEEDED:
        facts["reason"] = None  # it was asked to stop, perhaps, and was done before
    if before.holds_room and not state.holds_room:
        _release(gang, workload, at=at)
    moved = Workload.objects.filter(pk=workload.pk, state=before.value).update(
        state=state.value, **facts
    )
    if moved != 1:
        raise RuntimeError(f"workload {workload.pk} moved under our lock")
    workload.state = state.value
    for name, value in facts.items():
        setattr(workload, name, value)
    note(
        workload.id,
        state,
        at=at,
        node_id=workload.node_id,
        reason=facts.get("reason"),
        most=None if state.is_final else MOST_EVENTS,
    )
    if before is WorkloadState.STARTING:  # the order to start has been obeyed, or is void
        dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at, op="start")
    say_moved(gang, workload)


def say_moved(gang: Gang, workload: Workload) -> None:
    publish(
        WorkloadMoved(
            workload_id=workload.id,
            gang_id=gang.id,
            owner_kind=gang.owner_kind,
            owner_id=gang.owner_id,
            project_id=gang.project_id,
            state=WorkloadState(workload.state),
        )
    )


def note(
    workload_id: UUID,
    state: WorkloadState,
    *,
    at: datetime,
    node_id: UUID | None = None,
    reason: dict[str, Any] | None = None,
    most: int | None,
) -> None:
    """Remember what became of a workload, unless ``most`` things are remembered of it already."""
    events = WorkloadEvent.objects.filter(workload_id=workload_id)
    if most is None or events.count() < most:
        WorkloadEvent.objects.create(
            workload_id=workload_id, at=at, state=state.value, node_id=node_id, reason=reason
        )


def forget_events(*, before: datetime) -> int:
    """Drop what happened to workloads that ended long ago, some at a time; how many."""
    old = WorkloadEvent.objects.filter(workload__ended_at__lt=before).values_list("id")
    return WorkloadEvent.objects.filter(id__in=old[:MOST_FORGOTTEN]).delete()[0]


def end(
    gang: Gang,
    workload: Workload,
    state: WorkloadState,
    *,
    at: datetime,
    reason: Reason | None,
    cause: Cause | None,
    **facts: Any,
) -> None:
    """Take a last edge: nothing is wanted of the node any more."""
    move(
        gang,
        workload,
        state,
        at=at,
        reason=reason,
        ended_at=at,
        cause=cause.value if cause else "",
        **facts,
    )
    dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at)


def _release(gang: Gang, workload: Workload, *, at: datetime) -> None:
    """Give CPU, memory and devices back. Called on the one edge that leaves the holding states."""
    assert workload.node_id is not None
    fleet.release(node_id=workload.node_id, resources=selectors.resources_of(gang))
    Lease.objects.filter(workload=workload, ended_at=None).update(ended_at=at)
    publish(RoomFreed(node_id=workload.node_id))


def node_name(workload: Workload) -> str:
    return workload.node.name if workload.node else ""


def next_fence() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('workloads_fence')")
        (fence,) = cursor.fetchone()
    return int(fence)
