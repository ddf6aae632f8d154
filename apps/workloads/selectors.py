"""Questions about gangs, workloads and the room there is for them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from agents.protocol.base import Reason, Resources
from agents.protocol.workloads import Cause, WorkloadState
from apps.accounts.models import User
from apps.common import reasons
from apps.common.errors import NotFound
from apps.common.owners import OwnerName, names_of
from apps.fleet import selectors as fleet
from apps.fleet.models import Contact, Device, Node
from apps.projects import selectors as projects
from apps.projects.models import Project
from apps.telemetry import logs
from apps.telemetry import selectors as telemetry
from apps.workloads import placement
from apps.workloads.models import Gang, Lease, Orphan, Restore, Workload, WorkloadEvent

LOG_PIECE_BYTES = 256 * 1024

# --- for the nodes' door -------------------------------------------------------------------------


@dataclass(frozen=True)
class FenceRow:
    """Whose word about a workload counts."""

    node_id: UUID | None
    fence: int
    state: WorkloadState


def fences(workload_ids: Collection[UUID]) -> dict[UUID, FenceRow]:
    """The node, fence and state of those of the workloads that are known, orphans included."""
    wanted = set(workload_ids)
    rows = Workload.objects.filter(id__in=wanted).values_list(
        "id", "node_id", "gang__fence", "state"
    )
    known = {id: FenceRow(node, fence, WorkloadState(state)) for id, node, fence, state in rows}
    if unknown := wanted - known.keys():
        orphans = Orphan.objects.filter(workload_id__in=unknown, ended_at=None)
        known |= {
            orphan.workload_id: FenceRow(orphan.node_id, orphan.fence, WorkloadState(orphan.state))
            for orphan in orphans
        }
    return known


def living_orphans() -> QuerySet[Orphan]:
    """What nodes run that the backup did not know, the oldest first."""
    return Orphan.objects.filter(ended_at=None).select_related("node").order_by("id")


def open_restore() -> Restore | None:
    """The restore that still holds everything up, if there is one."""
    return Restore.objects.filter(released_at=None).order_by("-created_at").first()


def unheard_nodes(restore: Restore) -> QuerySet[Node]:
    """Nodes that were there at the backup and have not been heard since."""
    return Node.objects.filter(removed_at=None, last_contact_at__lt=restore.created_at).order_by(
        "name"
    )


def spec_bytes(workload_id: UUID, node_id: UUID) -> bytes:
    """The exact bytes of a workload's spec, for the node it is placed on and no other."""
    spec = Workload.objects.filter(id=workload_id, node_id=node_id).values_list("spec", flat=True)
    for body in spec:
        return bytes(body)
    raise NotFound


def leased_devices(workload_id: UUID) -> list[str]:
    """The hardware's own names of the devices that a workload holds."""
    leases = Lease.objects.filter(workload_id=workload_id, ended_at=None)
    return list(leases.order_by("device__index").values_list("device__uuid", flat=True))


# --- for the scheduler ---------------------------------------------------------------------------


def resources_of(gang: Gang) -> Resources:
    """What one workload of the gang takes."""
    return Resources(
        cpu_millis=gang.cpu_millis,
        memory_bytes=gang.memory_bytes,
        device_count=gang.device_count,
        device_kind=gang.device_kind,
        device_memory_bytes=gang.device_memory_bytes,
        simulated=gang.simulated,
    )


# Simulated nodes are a fleet of their own, with a queue of its own: nothing that is to be computed
# ever goes there, and what is only pretended takes no real node's room.


def queue(*, simulated: bool = False) -> list[placement.Waiting]:
    """Every gang that waits for room in one of the two fleets."""
    return [
        placement.Waiting(
            gang_id=gang.id,
            priority=gang.priority,
            since=gang.created_at,
            size=gang.size,
            resources=resources_of(gang),
            avoid=frozenset(UUID(node) for node in gang.avoid),
        )
        for gang in Gang.objects.waiting().filter(simulated=simulated)
    ]


def snapshot(*, simulated: bool = False) -> placement.Snapshot:
    """The nodes that may take work now, with what is free on each, and how many may not."""
    nodes = list(Node.objects.filter(removed_at=None, simulated=simulated).order_by("name"))
    ready = [n for n in nodes if n.contact == Contact.FRESH and n.cordoned_at is None]
    cordoned = sum(node.cordoned_at is not None for node in nodes)
    devices = _devices(ready, healthy=True)
    leased = set(Lease.objects.filter(ended_at=None).values_list("device_id", flat=True))
    return placement.Snapshot(
        nodes=tuple(
            placement.Node(
                id=node.id,
                name=node.name,
                cpu_millis=node.cpu_millis,
                memory_bytes=node.memory_bytes,
                devices=devices[node.id],
                free_cpu_millis=node.cpu_millis - node.reserved_cpu_millis,
                free_memory_bytes=node.memory_bytes - node.reserved_memory_bytes,
                idle=tuple(device for device in devices[node.id] if device.id not in leased),
            )
            for node in ready
        ),
        cordoned=cordoned,
        unhealthy=Device.objects.filter(
            node__in=ready, present=True, divided=False, healthy=False
        ).count(),
        unreachable=len(nodes) - len(ready) - cordoned,
    )


def capacities(*, simulated: bool = False) -> list[placement.Node]:
    """Every node as if it were empty, reachable or not: what could ever be held."""
    nodes = list(Node.objects.filter(removed_at=None, simulated=simulated).order_by("name"))
    devices = _devices(nodes, healthy=None)
    return [
        placement.Node(
            id=node.id,
            name=node.name,
            cpu_millis=node.cpu_millis,
            memory_bytes=node.memory_bytes,
            devices=devices[node.id],
            free_cpu_millis=node.cpu_millis,
            free_memory_bytes=node.memory_bytes,
            idle=devices[node.id],
        )
        for node in nodes
    ]


@dataclass(frozen=True)
class Forecast:
    """What would become of a demand for one workload, were it queued now."""

    nodes: list[placement.NodeFit]  # all there are, those that take no work included
    reason: Reason | None  # why it would wait, or be refused; None: it would start at once
    ever: bool  # False: it would be refused, for no node could hold it however empty
    largest: Resources | None  # that would fit now on the best node


def forecast(resources: Resources, *, priority: int, at: datetime) -> Forecast:
    """Where a demand would fit, and whether it would wait; nothing is reserved by asking."""
    which = resources.simulated
    fit = placement.fit(
        snapshot(simulated=which), queue(simulated=which), resources, priority=priority, since=at
    )
    refusal = placement.refuse(resources, 1, capacities(simulated=which))
    return Forecast(
        nodes=sorted(
            [*fit.nodes, *_absent(simulated=which)], key=lambda node: (node.node, node.node_id)
        ),
        reason=refusal or fit.reason,
        ever=refusal is None,
        largest=fit.largest,
    )


def _absent(*, simulated: bool) -> list[placement.NodeFit]:
    """The nodes that may take nothing now."""
    nodes = Node.objects.filter(removed_at=None, simulated=simulated)
    absent = nodes.exclude(contact=Contact.FRESH, cordoned_at=None)
    return [placement.NodeFit(node.id, node.name, fleet.absence(node)) for node in absent]


def _devices(
    nodes: Sequence[Node], *, healthy: bool | None
) -> defaultdict[UUID, tuple[placement.Device, ...]]:
    rows = Device.objects.filter(node__in=nodes, present=True, divided=False)
    rows = rows.order_by("index", "uuid", "id")
    if healthy is not None:
        rows = rows.filter(healthy=healthy)
    devices: defaultdict[UUID, tuple[placement.Device, ...]] = defaultdict(tuple)
    for row in rows:
        devices[row.node_id] += (
            placement.Device(
                id=row.id, index=row.index, kind=row.name, memory_bytes=row.memory_bytes
            ),
        )
    return devices


def stalled(*, placed_before: datetime) -> QuerySet[Gang]:
    """Gangs placed a while ago with a workload that its node has not begun to start."""
    return Gang.objects.filter(
        ended_at=None,
        placed_at__lt=placed_before,
        workloads__state=WorkloadState.ASSIGNED.value,
    ).distinct()


# --- for people, by node -------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """A workload on a node as somebody may see it: a stranger to its project sees no name."""

    workload: Workload
    devices: list[str]  # the hardware's own names
    owner: OwnerName | None
    project: Project | None

    @property
    def kind(self) -> str:
        return self.owner.kind if self.owner else self.workload.gang.owner_kind

    @property
    def reason(self) -> dict[str, Any] | None:
        return self.workload.reason if self.project else None


def on_node(node_id: UUID, *, live: bool | None = None) -> QuerySet[Workload]:
    """What runs on a node, what ran there, or both."""
    leases = Prefetch("leases", Lease.objects.select_related("device").order_by("device__index"))
    rows = Workload.objects.filter(node_id=node_id)
    if live is not None:
        rows = rows.filter(ended_at__isnull=live)
    return rows.select_related("gang__project").prefetch_related(leases)


def placed(workloads: Sequence[Workload], viewer: User) -> list[Placed]:
    """Workloads as somebody may see them, with a handful of queries however many they are."""
    seen = set(projects.projects_of(viewer).values_list("id", flat=True))
    owners: defaultdict[str, set[UUID]] = defaultdict(set)
    for workload in workloads:
        if workload.gang.project_id in seen:
            owners[workload.gang.owner_kind].add(workload.gang.owner_id)
    names = {id: n for kind, ids in owners.items() for id, n in names_of(kind, ids).items()}
    return [
        Placed(
            workload=workload,
            devices=[lease.device.uuid for lease in workload.leases.all()],
            owner=names.get(workload.gang.owner_id),
            project=workload.gang.project if workload.gang.project_id in seen else None,
        )
        for workload in workloads
    ]


# --- the fleet at a glance -----------------------------------------------------------------------

MAP_FIELDS = ("uuid", "name", "memory_bytes", "healthy", "simulated", "leased", "project")
HOST_FIELDS = ("cpu_millis", "reserved_cpu_millis", "memory_bytes", "reserved_memory_bytes")


def fleet_map(viewer: User) -> list[dict[str, Any]]:
    """Every node with its devices in few characters, for pages that draw all of them at once.

    The devices of a node are in the order of `fleet.live`: by index, then by name, as Python sorts.
    """
    slugs = dict(projects.projects_of(viewer).values_list("id", "slug"))
    leases = dict(
        Lease.objects.filter(ended_at=None).values_list("device_id", "workload__gang__project_id")
    )
    devices: defaultdict[UUID, list[tuple[Any, ...]]] = defaultdict(list)
    rows = Device.objects.filter(node__removed_at=None, present=True, divided=False).values_list(
        "node_id", "index", "uuid", "id", "name", "memory_bytes", "healthy", "simulated"
    )
    for node_id, *rest in rows.iterator(chunk_size=2000):
        devices[node_id].append(tuple(rest))
    nodes = Node.objects.filter(removed_at=None).order_by("name")
    return [
        {
            "id": node.id,
            "name": node.name,
            "simulated": node.simulated,
            "contact": node.contact,
            "cordoned_at": node.cordoned_at,
            "cordon_reason": node.cordon_reason,
            "host": [getattr(node, field) for field in HOST_FIELDS],
            "devices": [
                [
                    *(uuid, name, memory_bytes, healthy, simulated, id in leases),
                    slugs.get(leases[id]) if id in leases else None,
                ]
                for _, uuid, id, name, memory_bytes, healthy, simulated in sorted(devices[node.id])
            ],
        }
        for node in nodes.only(
            *("id", "name", "simulated", "contact", "cordoned_at", "cordon_reason"),
            *HOST_FIELDS,
        )
    ]


# --- for the owners of gangs ---------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How a gang has ended."""

    state: WorkloadState
    reason: Reason | None
    cause: Cause | None
    exit_code: int | None
    ended_at: datetime


def gangs(ids: Collection[UUID]) -> dict[UUID, Gang]:
    """Gangs with their workloads, by rank, and the workloads' nodes and devices."""
    rows = Gang.objects.filter(id__in=set(ids))
    rows = rows.prefetch_related("workloads__node", "workloads__leases__device")
    return {gang.id: gang for gang in rows}


def events_of(gang_ids: Collection[UUID]) -> dict[UUID, list[WorkloadEvent]]:
    """What became of the gangs' first workloads, in order, by gang."""
    rows = WorkloadEvent.objects.filter(workload__gang__in=set(gang_ids), workload__rank=0)
    events: dict[UUID, list[WorkloadEvent]] = {}
    for row in rows.select_related("workload", "node").order_by("id"):
        events.setdefault(row.workload.gang_id, []).append(row)
    return events


def first_workload(gang: Gang) -> Workload:
    """The workload of rank 0: a gang's face."""
    return min(gang.workloads.all(), key=lambda workload: workload.rank)


def devices_of(gang: Gang) -> list[Device]:
    """The devices that a gang has, or had."""
    return [
        lease.device
        for workload in sorted(gang.workloads.all(), key=lambda workload: workload.rank)
        for lease in sorted(workload.leases.all(), key=lambda lease: lease.device.index)
    ]


def failed_on(gang_ids: Collection[UUID], causes: Collection[Cause]) -> set[UUID]:
    """The nodes where workloads of these gangs have failed for one of these causes."""
    rows = Workload.objects.filter(gang__in=set(gang_ids), cause__in=[c.value for c in causes])
    return set(rows.exclude(node=None).values_list("node_id", flat=True))


def started_at(gang: Gang) -> datetime | None:
    """When the first process of the gang started."""
    return min((w.started_at for w in gang.workloads.all() if w.started_at), default=None)


def waiting_for(gang: Gang) -> dict[str, Any] | None:
    """What a gang is waiting for, while no process of it runs."""
    workload = first_workload(gang)
    node = {"node": workload.node.name if workload.node else ""}
    match WorkloadState(workload.state):
        case WorkloadState.PENDING:
            return gang.waiting_reason or {"code": "waits_for_scheduler", "params": {}}
        case WorkloadState.ASSIGNED:
            return {"code": "waits_for_node", "params": node}
        case WorkloadState.STARTING:
            return {"code": "fetches_inputs", "params": node}
        case _:
            return None


def log_piece(
    workload: Workload | None,
    offset: int,
    limit: int,
    *,
    since: datetime | None = None,
    over: bool,
) -> dict[str, Any]:
    """A piece of a workload's log from an offset, or a time, cut between characters; ``over``: it
    writes no more."""
    if workload is None:
        nothing = {"offset": 0, "next_offset": 0, "complete": True, "dropped_bytes": 0}
        return {**nothing, "text": "", "times": []}
    if since is not None:
        offset = telemetry.log_offset_at(workload.id, since)
    piece = telemetry.log_slice(workload.id, offset, limit)
    if workload.log_bytes is not None:  # known once the process is gone
        complete = piece.next_offset >= workload.log_bytes
    else:  # nothing more is coming from one that never got that far
        complete = over and piece.next_offset >= piece.stored
    text, taken = logs.whole_text(piece.data, final=complete)
    return {
        "offset": piece.offset,
        "next_offset": piece.offset + taken,
        "complete": complete,
        "dropped_bytes": piece.dropped_bytes + workload.dropped_log_bytes,
        "text": text,
        "times": [(at, written_at.timestamp()) for at, written_at in piece.times],
    }


def log_bytes(workload: Workload | None) -> Iterator[bytes]:
    """All that there is of a workload's log, piece by piece."""
    offset = 0
    while workload is not None:
        piece = telemetry.log_slice(workload.id, offset, LOG_PIECE_BYTES)
        if not piece.data:
            return
        yield piece.data
        offset = piece.next_offset


def outcome(gang: Gang) -> Outcome | None:
    """How the gang ended: well only if every workload did, else as the one that spoiled it."""
    if gang.ended_at is None:
        return None
    workloads = sorted(gang.workloads.all(), key=_spoils)
    told = workloads[0]
    return Outcome(
        state=WorkloadState(told.state),
        reason=reasons.from_row(told.reason),
        cause=Cause(told.cause) if told.cause else None,
        exit_code=told.exit_code,
        ended_at=gang.ended_at,
    )


def _spoils(workload: Workload) -> tuple[int, datetime, int]:
    """Failures before stops before successes; of equals, the first to end."""
    rank = {
        WorkloadState.FAILED: 0,
        WorkloadState.LOST: 0,
        WorkloadState.STOPPED: 1,
    }.get(WorkloadState(workload.state), 2)
    assert workload.ended_at is not None
    return rank, workload.ended_at, workload.rank
