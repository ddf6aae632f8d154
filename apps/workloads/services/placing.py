"""Asking for room, and the scheduler's decisions."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from agents.protocol.base import Reason, Resources
from agents.protocol.specs import (
    WorkloadSpec,
    encode_spec,
    sha256_of,
)
from agents.protocol.workloads import Cause, WorkloadState
from apps.common import reasons
from apps.common.errors import DomainError
from apps.common.events import publish
from apps.fleet import dispatch
from apps.fleet import services as fleet
from apps.fleet.models import Contact, Device, Node
from apps.projects.models import Project
from apps.workloads import placement, selectors
from apps.workloads.events import GangQueued, GangWaits
from apps.workloads.models import Gang, Lease, Workload, WorkloadEvent
from apps.workloads.services import moves, stopping


class DemandTooLarge(DomainError):
    """No node could ever hold this, even empty. The parameters say the largest that fits."""

    status = 422

    def __init__(self, reason: Reason) -> None:
        super().__init__(**reason.params)
        self.code = reason.code  # type: ignore[misc]  # one class, one code for each resource


class PlacedElsewhere(DomainError):
    """The gang, or the room meant for it, has changed since the snapshot was taken."""


@transaction.atomic
def request_gang(
    *,
    project: Project,
    owner_kind: str,
    owner_id: UUID,
    resources: Resources,
    specs: Sequence[WorkloadSpec],
    priority: int,
    at: datetime,
    avoid: Collection[UUID] = (),
) -> Gang:
    """Queue workloads to be placed together, one for each spec; refuse what could never fit.

    Nodes to ``avoid`` are chosen only where no others will do.
    """
    nodes = check_demand(resources=resources, size=len(specs))
    gang = Gang.objects.create(
        project=project,
        fence=moves.next_fence(),
        owner_kind=owner_kind,
        owner_id=owner_id,
        priority=priority,
        size=len(specs),
        cpu_millis=resources.cpu_millis,
        memory_bytes=resources.memory_bytes,
        device_count=resources.device_count,
        device_kind=resources.device_kind,
        device_memory_bytes=resources.device_memory_bytes,
        avoid=sorted(str(node_id) for node_id in avoid),
        simulated=resources.simulated,
        waiting_reason=None if nodes else reasons.to_row(Reason(code="no_nodes")),
    )
    bodies = [encode_spec(spec) for spec in specs]
    workloads = Workload.objects.bulk_create(
        Workload(gang=gang, rank=rank, spec=body, spec_sha256=sha256_of(body))
        for rank, body in enumerate(bodies)
    )
    if gang.waiting_reason:
        moves.note(
            workloads[0].id,
            WorkloadState.PENDING,
            at=at,
            reason=gang.waiting_reason,
            most=moves.MOST_WAITS,
        )
    publish(GangQueued(gang_id=gang.id))
    return gang


def check_demand(*, resources: Resources, size: int = 1) -> list[placement.Node]:
    """Raise ``DemandTooLarge`` if no nodes could ever hold this; the nodes it was compared with."""
    nodes = selectors.capacities(simulated=resources.simulated)
    if refusal := placement.refuse(resources, size, nodes):
        raise DemandTooLarge(refusal)
    return nodes


@transaction.atomic
def assign(*, gang_id: UUID, places: Sequence[placement.Place], at: datetime) -> None:
    """Give a waiting gang its places and order the start; all of it, or raise and change nothing.

    ``PlacedElsewhere``, ``fleet.NoRoom`` or a taken device mean that the snapshot was too old.
    """
    gang, workloads = moves.lock(gang_id)
    if gang.ended_at or gang.placed_at:
        raise PlacedElsewhere
    ready = Node.objects.filter(
        id__in=[place.node_id for place in places],
        contact=Contact.FRESH,
        cordoned_at=None,
        removed_at=None,
        simulated=gang.simulated,
    )
    nodes = {node.id: node for node in ready}
    resources = selectors.resources_of(gang)
    gang.placed_at, gang.waiting_reason = at, None
    gang.save(update_fields=["placed_at", "waiting_reason"])
    for place, workload in zip(places, workloads, strict=True):
        node = nodes.get(place.node_id)
        if node is None:
            raise PlacedElsewhere
        fleet.reserve(node_id=node.id, resources=resources)
        usable = Device.objects.filter(
            id__in=place.device_ids, node=node, present=True, healthy=True, divided=False
        ).exclude(leases__in=Lease.objects.filter(ended_at=None))
        if usable.count() != len(place.device_ids):
            raise PlacedElsewhere
        Lease.objects.bulk_create(
            Lease(workload=workload, device_id=device) for device in place.device_ids
        )
        moves.move(gang, workload, WorkloadState.ASSIGNED, at=at, node=node, assigned_at=at)
        dispatch.send_start(
            node=node,
            gang_id=gang.id,
            workload_id=workload.id,
            fence=gang.fence,
            spec_sha256=workload.spec_sha256,
        )


@transaction.atomic
def explain_waiting(*, why: dict[UUID, Reason], at: datetime) -> None:
    """Write down why gangs wait, where that has changed; say so where the code has."""
    waiting = Gang.objects.waiting().filter(id__in=why).order_by("id")
    changed, told = [], []
    for gang in waiting.select_for_update(skip_locked=True):  # whoever holds one is changing it
        old, new = gang.waiting_reason, reasons.to_row(why[gang.id])
        if old == new:
            continue
        gang.waiting_reason = new
        changed.append(gang)
        if old is None or old["code"] != new["code"]:
            told.append(gang)
            publish(
                GangWaits(
                    gang_id=gang.id,
                    owner_kind=gang.owner_kind,
                    owner_id=gang.owner_id,
                    project_id=gang.project_id,
                )
            )
    Gang.objects.bulk_update(changed, ["waiting_reason"], batch_size=500)
    _note_waits(told, at=at)


def _note_waits(gangs: Sequence[Gang], *, at: datetime) -> None:
    """Remember why gangs wait now, in as few statements for a long queue as for a short one."""
    why = {gang.id: gang.waiting_reason for gang in gangs}
    faces = dict(Workload.objects.filter(gang__in=gangs, rank=0).values_list("id", "gang_id"))
    events = WorkloadEvent.objects.filter(workload__in=faces).values_list("workload_id")
    known = dict(events.annotate(Count("id")))
    WorkloadEvent.objects.bulk_create(
        WorkloadEvent(
            workload_id=workload_id,
            at=at,
            state=WorkloadState.PENDING.value,
            reason=why[gang_id],
        )
        for workload_id, gang_id in faces.items()
        if known.get(workload_id, 0) < moves.MOST_WAITS
    )


@transaction.atomic
def take_back(*, gang_id: UUID, at: datetime) -> bool:
    """Queue a gang again that was placed and never started; its new fence voids the old orders."""
    gang, workloads = moves.lock(gang_id)
    if gang.ended_at or any(w.state != WorkloadState.ASSIGNED for w in workloads):
        return False
    for workload in workloads:
        dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at)
        moves.move(
            gang,
            workload,
            WorkloadState.PENDING,
            at=at,
            node=None,
            assigned_at=None,
            start_nonce="",
            fabric_address="",
            port=None,
        )
    gang.fence, gang.placed_at = moves.next_fence(), None
    gang.save(update_fields=["fence", "placed_at"])
    publish(GangQueued(gang_id=gang.id))
    return True


@transaction.atomic
def give_up_start(*, gang_id: UUID, at: datetime) -> None:
    """End a gang of which some have asked to start and others do not come."""
    gang, workloads = moves.lock(gang_id)
    late = [w for w in workloads if w.state == WorkloadState.ASSIGNED]
    late.sort(key=lambda workload: bool(workload.start_nonce))  # who has not even asked first
    if gang.ended_at or not late:
        return
    moves.end(
        gang,
        late[0],
        WorkloadState.FAILED,
        at=at,
        reason=Reason(code="gang_incomplete", params={"node": moves.node_name(late[0])}),
        cause=Cause.ENVIRONMENT,
    )
    stopping.after_move(gang, workloads, at=at)
