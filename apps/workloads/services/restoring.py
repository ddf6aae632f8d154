"""After a restore from a backup: nodes have gone on, and know more than this database does.

Nothing is placed until every node that was there has been heard and nothing unknown runs any more,
or an operator says so: what a node runs must not be started a second time elsewhere.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.protocol.base import Reason
from agents.protocol.link import RunningWorkload, WorkloadReport
from agents.protocol.workloads import FINAL, Cause, WorkloadState
from apps.audit import services as audit
from apps.common import reasons
from apps.common.actors import Actor
from apps.common.errors import DomainError, NotFound
from apps.common.jsonb import storable
from apps.common.sweeps import wake
from apps.fleet import dispatch
from apps.fleet import services as fleet
from apps.fleet.models import Node
from apps.workloads import lifecycle, selectors
from apps.workloads.models import Gang, Orphan, Restore, Workload
from apps.workloads.services import moves, placing, stopping

log = logging.getLogger(__name__)

JUMP = 1_000_000  # more numbers than are ever given between a backup and its restore
SETTLE = timedelta(seconds=15)  # for what a node still has to tell after it was first heard
MOST_ORPHANS = 10_000


class NothingHeld(DomainError):
    """No restore holds anything up."""


@transaction.atomic
def begin_restore(*, actor: Actor, at: datetime) -> Restore:
    """Make this database one that came from a backup: no number is ever given twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM workloads_fence")
        (last,) = cursor.fetchone()
        for sequence in ("workloads_fence", "fleet_order_seq", "audit_seq"):
            cursor.execute(
                f"SELECT setval('{sequence}', (SELECT last_value FROM {sequence}) + %s)", [JUMP]
            )
    restore = Restore.objects.create(fence_from=last, fence_to=last + JUMP)
    Restore.objects.filter(pk=restore.pk).update(created_at=at)
    restore.created_at = at
    audit.record(actor, "installation.restore", restore, fence_to=restore.fence_to)
    return restore


def is_held(*, at: datetime) -> bool:
    """Whether nothing may be placed yet; ends the hold when there is nothing left to wait for."""
    restore = selectors.open_restore()
    if restore is None:
        return False
    if selectors.unheard_nodes(restore).exists() or selectors.living_orphans().exists():
        Restore.objects.filter(pk=restore.pk).update(heard_at=None)
        return True
    if restore.heard_at is None:
        Restore.objects.filter(pk=restore.pk).update(heard_at=at)
        return True
    if restore.heard_at > at - SETTLE:
        return True
    Restore.objects.filter(pk=restore.pk).update(released_at=at)
    log.info("every node was heard after the restore: work is placed again")
    return False


def why_held() -> Reason:
    """What the queue waits for."""
    restore = selectors.open_restore()
    unheard = selectors.unheard_nodes(restore).count() if restore else 0
    return Reason(
        code="waits_after_restore",
        params={"nodes": unheard, "workloads": selectors.living_orphans().count()},
    )


@transaction.atomic
def release_restore(*, actor: Actor, at: datetime) -> None:
    """Place work again, on somebody's word that nothing unknown will be run twice."""
    restore = Restore.objects.select_for_update().filter(released_at=None).first()
    if restore is None:
        raise NothingHeld
    Restore.objects.filter(released_at=None).update(released_at=at)
    audit.record(actor, "installation.release", restore)
    wake("schedule")


@transaction.atomic
def stop_orphan(*, orphan_id: UUID, actor: Actor, at: datetime) -> Orphan:
    """End what a node runs and nobody knows."""
    orphan = Orphan.objects.select_related("node").filter(pk=orphan_id, ended_at=None).first()
    if orphan is None:
        raise NotFound
    dispatch.send_stop(
        node=orphan.node,
        gang_id=orphan.workload_id,  # its gang is not known, and no node asks
        workload_id=orphan.workload_id,
        fence=orphan.fence,
        grace_seconds=10.0,
    )
    audit.record(actor, "orphan.stop", orphan, node=orphan.node.name)
    return orphan


def meet(*, node_id: UUID, running: Sequence[RunningWorkload], at: datetime) -> None:
    """Take in what a node runs since before the restore, so that nothing it says is refused."""
    if not Restore.objects.exists():
        return
    listed = {(item.workload, item.fence): item for item in running}
    living = Orphan.objects.filter(node_id=node_id, ended_at=None)
    for orphan in living:
        if (orphan.workload_id, orphan.fence) not in listed:
            Orphan.objects.filter(pk=orphan.pk).update(ended_at=at)
    known = set(
        Workload.objects.filter(id__in=[item.workload for item in running]).values_list(
            "id", flat=True
        )
    )
    held = selectors.open_restore() is not None
    for item in running:
        if item.workload in known:
            if held and item.state not in {*FINAL, WorkloadState.ASSIGNED}:
                _adopt_listed(node_id, item, at=at)
        elif item.state not in FINAL and _is_of_lost_time(item.fence):
            _note(node_id, item.workload, item.fence, state=item.state)


@transaction.atomic
def _adopt_listed(node_id: UUID, item: RunningWorkload, *, at: datetime) -> None:
    gang, workloads = moves.lock_of(item.workload)
    workload = next((w for w in workloads if w.id == item.workload), None)
    if gang is None or workload is None or gang.fence != item.fence:
        return
    adopt(gang, workload, node_id=node_id, at=at)
    if workload.node_id == node_id:  # what was told of it before is not told again
        for state in lifecycle.road(WorkloadState(workload.state), item.state):
            moves.move(gang, workload, state, at=at)


def adopt(gang: Gang, workload: Workload, *, node_id: UUID, at: datetime) -> bool:
    """Believe a node that it was given a workload, and leave to start it, after the backup.

    Its gang's rows are locked. Which devices it was given is not known: where it has any it counts
    as an orphan too, which keeps everybody else from them.
    """
    if selectors.open_restore() is None or gang.ended_at or workload.ended_at:
        return False
    if workload.state == WorkloadState.PENDING and gang.size == 1:
        node = Node.objects.filter(pk=node_id, removed_at=None).first()
        if node is None:
            return False
        try:
            fleet.reserve_again(node_id=node_id, resources=selectors.resources_of(gang))
        except fleet.NoRoom:
            log.warning("node %s runs workload %s beyond its room", node_id, workload.id)
            return False
        gang.placed_at, gang.waiting_reason = at, None
        gang.save(update_fields=["placed_at", "waiting_reason"])
        moves.move(gang, workload, WorkloadState.ASSIGNED, at=at, node=node, assigned_at=at)
        if gang.device_count:
            _note(node_id, workload.id, gang.fence, state=WorkloadState.RUNNING)
    if workload.state == WorkloadState.ASSIGNED and workload.node_id == node_id:
        moves.move(gang, workload, WorkloadState.STARTING, at=at)
        return True
    return False


def take_orphans_report(*, node_id: UUID, report: WorkloadReport, at: datetime) -> bool:
    """Note what became of a workload that nobody here knows; whether it is of the lost time."""
    if not _is_of_lost_time(report.fence):
        return False
    told: dict[str, Any] = {}
    if report.exit_code is not None:
        told["exit_code"] = max(-(2**31), min(report.exit_code, 2**31 - 1))
    if report.reason is not None:
        told["reason"] = storable(reasons.to_row(report.reason))
    if report.state.is_final:
        told["ended_at"] = at
    _note(node_id, report.workload, report.fence, state=report.state, **told)
    return True


@transaction.atomic
def give_up_node(*, node_id: UUID, actor: Actor, at: datetime) -> None:
    """A node is gone for good, its disk included: what ran there is lost, and it is removed."""
    living = Workload.objects.filter(node_id=node_id, ended_at=None)
    for gang_id in living.order_by("gang_id").values_list("gang_id", flat=True).distinct():
        if placing.take_back(gang_id=gang_id, at=at):
            continue
        gang, workloads = moves.lock(gang_id)
        for workload in workloads:
            if workload.node_id == node_id and workload.ended_at is None:
                moves.end(
                    gang,
                    workload,
                    WorkloadState.LOST,
                    at=at,
                    reason=Reason(
                        code="node_gone_at_restore", params={"node": moves.node_name(workload)}
                    ),
                    cause=Cause.NODE_LOST,
                )
        stopping.after_move(gang, workloads, at=at)
    fleet.remove(node_id=node_id, actor=actor, at=at)


def _is_of_lost_time(fence: int) -> bool:
    return Restore.objects.filter(fence_from__lt=fence, fence_to__gte=fence).exists()


def _note(
    node_id: UUID, workload_id: UUID, fence: int, *, state: WorkloadState, **told: Any
) -> None:
    if Orphan.objects.filter(node_id=node_id).count() >= MOST_ORPHANS:
        return
    row, created = Orphan.objects.get_or_create(
        node_id=node_id,
        workload_id=workload_id,
        fence=fence,
        defaults={"state": state.value, **told},
    )
    if created:
        log.warning("node %s runs workload %s, begun after the backup", node_id, workload_id)
    elif row.ended_at is None:
        Orphan.objects.filter(pk=row.pk).update(state=state.value, **told)
