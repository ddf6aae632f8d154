"""Ending a gang: because somebody asked, or because one of its workloads ended."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents.protocol.base import Reason
from agents.protocol.specs import (
    decode_spec,
)
from agents.protocol.workloads import FINAL, Cause, WorkloadState
from apps.common.actors import Actor
from apps.common.guards import guard_deletion
from apps.fleet import dispatch
from apps.fleet import services as fleet
from apps.fleet.models import Node
from apps.workloads.models import Gang, Workload
from apps.workloads.services import moves


@transaction.atomic
def stop_gang(
    *, gang_id: UUID, actor: Actor, at: datetime, grace_seconds: float | None = None
) -> None:
    """Ask a gang to end. What has not started ends at once; what has over is left as it is.

    The owner's service writes the audit entry: somebody stops a job, not its gang.
    """
    gang, workloads = moves.lock(gang_id)
    reason = Reason(code="stopped_by", params={"name": actor.name})
    for workload in workloads:
        ask_to_stop(gang, workload, at=at, reason=reason, grace_seconds=grace_seconds)
    after_move(gang, workloads, at=at)


def ask_to_stop(
    gang: Gang,
    workload: Workload,
    *,
    at: datetime,
    reason: Reason,
    grace_seconds: float | None = None,
) -> None:
    match WorkloadState(workload.state):
        case WorkloadState.PENDING:
            moves.end(
                gang, workload, WorkloadState.STOPPED, at=at, reason=reason, cause=Cause.STOPPED
            )
        case WorkloadState.ASSIGNED:  # it was not approved, and is not going to be
            moves.move(gang, workload, WorkloadState.STOPPING, at=at)
            moves.end(
                gang, workload, WorkloadState.STOPPED, at=at, reason=reason, cause=Cause.STOPPED
            )
        case WorkloadState.STARTING | WorkloadState.RUNNING:
            _send_stop(gang, workload, grace_seconds)
            moves.move(gang, workload, WorkloadState.STOPPING, at=at, reason=reason)
        case WorkloadState.STOPPING | WorkloadState.FINISHING:  # again, perhaps with less patience
            _send_stop(gang, workload, grace_seconds)


def _send_stop(gang: Gang, workload: Workload, grace_seconds: float | None) -> None:
    assert workload.node is not None
    if grace_seconds is None:
        grace_seconds = decode_spec(bytes(workload.spec)).grace_seconds
    dispatch.send_stop(
        node=workload.node,
        gang_id=gang.id,
        workload_id=workload.id,
        fence=gang.fence,
        grace_seconds=grace_seconds,
    )


def after_move(gang: Gang, workloads: Sequence[Workload], *, at: datetime) -> None:
    """One that ended without success takes the others with it; with the last, the gang ends."""
    spoiled = [w for w in workloads if w.ended_at and w.state != WorkloadState.SUCCEEDED]
    if spoiled and gang.size > 1:
        reason = Reason(code="gang_member_ended", params={"rank": spoiled[0].rank})
        for workload in workloads:
            if WorkloadState(workload.state) not in {
                *FINAL,
                WorkloadState.STOPPING,
                WorkloadState.FINISHING,
            }:
                ask_to_stop(gang, workload, at=at, reason=reason)
    if gang.ended_at is None and all(w.ended_at for w in workloads):
        gang.ended_at = at
        gang.save(update_fields=["ended_at"])


@guard_deletion(Node)
def keep_while_needed(node: Node) -> None:
    """A node that still has something to send keeps its place: it holds no room any more."""
    if Workload.objects.filter(node=node, ended_at=None).exists():
        raise fleet.NodeBusy(name=node.name)
