"""Where waiting gangs go: a pure rule over a snapshot, without database, clock or chance.

Gangs are taken by priority, then age. A gang is placed whole, one workload per node, or not at all.
Each workload goes to the fitting node that is left with the fewest idle devices (best fit), so that
large demands keep finding whole nodes and work without GPUs stays away from them.

Backfill: the first gang that must wait though the nodes could hold it is the head. On the nodes
where it is closest to fitting, what is free of its demand is kept for it; those behind it may take
the rest, and all other nodes. What the head still lacks there can therefore only shrink, and it
never starves. There are no forecasts in this rule: a short job is not let through on the guess that
it ends in time.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from agents.protocol.base import Reason, Resources

GIB = 1024**3


@dataclass(frozen=True, kw_only=True)
class Device:
    id: UUID
    index: int
    kind: str  # the product's name
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node that may take work: what it has, and what of that is free."""

    id: UUID
    name: str
    cpu_millis: int
    memory_bytes: int
    devices: tuple[Device, ...] = ()
    free_cpu_millis: int
    free_memory_bytes: int
    idle: tuple[Device, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    nodes: tuple[Node, ...]
    unreachable: int = 0  # nodes that exist but may take nothing now
    cordoned: int = 0
    unhealthy: int = 0  # devices of the nodes that get no work until somebody has seen to them


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A gang in the queue."""

    gang_id: UUID
    priority: int
    since: datetime
    size: int  # workloads, each on a node of its own
    resources: Resources  # of one workload
    avoid: frozenset[UUID] = frozenset()  # nodes that come last: it has failed there before


@dataclass(frozen=True)
class Place:
    node_id: UUID
    device_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class Placed:
    gang_id: UUID
    places: tuple[Place, ...]  # by rank


@dataclass(frozen=True)
class Waits:
    gang_id: UUID
    reason: Reason


Decision = Placed | Waits


def plan(snapshot: Snapshot, queue: Iterable[Waiting]) -> list[Decision]:
    """Decide about every gang of the queue, in the order of the queue."""
    rooms = [_Room(node) for node in sorted(snapshot.nodes, key=lambda n: (n.name, n.id))]
    # room only shrinks during a pass: a demand that was refused once is refused again
    refused: dict[tuple[int, Resources], Reason] = {}
    decisions: list[Decision] = []
    head_found = False
    for gang in sorted(queue, key=_turn):
        wanted = (gang.size, gang.resources)
        reason = refused.get(wanted)
        if reason is None:
            chosen = _choose(gang, rooms)
            if chosen:
                places = tuple(room.take(gang.resources) for room in chosen)
                decisions.append(Placed(gang.gang_id, places))
                continue
            reason = refused[wanted] = _why(gang, rooms, snapshot)
            if not head_found:
                for room in _nearest(gang, rooms):
                    room.keep(gang.resources)
                    head_found = True
        decisions.append(Waits(gang.gang_id, reason))
    return decisions


def refuse(resources: Resources, size: int, nodes: Sequence[Node]) -> Reason | None:
    """Why no choice of these nodes could ever hold the demand, or None; without nodes, None."""
    if not nodes:
        return None
    offers = [_Offer.whole(node, resources) for node in nodes]
    holding = sum(offer.holds(resources) for offer in offers)
    if holding >= size:
        return None
    if not holding:
        return _binding("exceeds", resources, offers)
    return Reason(code="exceeds_nodes", params={"asked": size, "most": holding})


@dataclass(frozen=True)
class NodeFit:
    """Whether one workload would fit on a node now, and why not."""

    node_id: UUID
    node: str
    reason: Reason | None  # None: it fits


@dataclass(frozen=True)
class Fit:
    """What would become of a demand for one workload, were it queued now."""

    nodes: tuple[NodeFit, ...]
    reason: Reason | None  # why it would wait; None: it would be placed at once
    largest: Resources | None  # the room on the node where it is closest to fitting, or fits best


def fit(
    snapshot: Snapshot,
    queue: Iterable[Waiting],
    resources: Resources,
    *,
    priority: int,
    since: datetime,
) -> Fit:
    """What would become of a demand behind this queue; the nodes are looked at one by one, as they
    are, and the queue decides about the whole."""
    asked = Waiting(
        gang_id=UUID(int=2**128 - 1),  # behind all others of its age
        priority=priority,
        since=since,
        size=1,
        resources=resources,
    )
    decisions = plan(snapshot, [*queue, asked])
    mine = next(decision for decision in decisions if decision.gang_id == asked.gang_id)
    rooms = [_Room(node) for node in sorted(snapshot.nodes, key=lambda n: (n.name, n.id))]
    return Fit(
        nodes=tuple(
            NodeFit(room.node.id, room.node.name, _why_not_here(room, resources)) for room in rooms
        ),
        reason=mine.reason if isinstance(mine, Waits) else None,
        largest=_largest(rooms, resources),
    )


def _why_not_here(room: "_Room", resources: Resources) -> Reason | None:
    whole = _Offer.whole(room.node, resources)
    if not whole.holds(resources):
        return _binding("exceeds", resources, [whole])
    free = room.offer(resources)
    return None if free.holds(resources) else _binding("waits_for", resources, [free])


def _largest(rooms: list["_Room"], resources: Resources) -> Resources | None:
    if not rooms:
        return None

    def order(room: "_Room") -> tuple[int, float, int, int, int]:
        offer = room.offer(resources)
        devices, share, _ = room.lacks(resources)
        return devices, share, -offer.devices, -offer.cpu_millis, -offer.memory_bytes

    offer = min(rooms, key=order).offer(resources)
    return Resources(
        cpu_millis=offer.cpu_millis,
        memory_bytes=offer.memory_bytes,
        device_count=offer.devices,
        device_kind=resources.device_kind,
        device_memory_bytes=resources.device_memory_bytes,
    )


def _turn(gang: Waiting) -> tuple[int, datetime, UUID]:
    return (-gang.priority, gang.since, gang.gang_id)


def _choose(gang: Waiting, rooms: list["_Room"]) -> list["_Room"]:
    """The best fitting rooms, as many as the gang needs, or none."""
    fitting = sorted(
        (room for room in rooms if room.offer(gang.resources).holds(gang.resources)),
        key=lambda room: (room.node.id in gang.avoid, room.left(gang.resources)),
    )
    return fitting[: gang.size] if len(fitting) >= gang.size else []


def _nearest(gang: Waiting, rooms: list["_Room"]) -> list["_Room"]:
    """The rooms where a gang that could be held is closest to fitting, or none."""
    able = sorted(
        (r for r in rooms if _Offer.whole(r.node, gang.resources).holds(gang.resources)),
        key=lambda room: room.lacks(gang.resources),
    )
    return able[: gang.size] if len(able) >= gang.size else []


def _why(gang: Waiting, rooms: list["_Room"], snapshot: Snapshot) -> Reason:
    """The constraint that binds."""
    absent = {"unreachable": snapshot.unreachable, "cordoned": snapshot.cordoned}
    if not rooms:
        if any(absent.values()):
            return Reason(code="no_node_ready", params=absent)
        return Reason(code="no_nodes")
    resources = gang.resources
    able = sum(_Offer.whole(room.node, resources).holds(resources) for room in rooms)
    if able < gang.size:
        if any(absent.values()):
            return Reason(code="waits_for_absent_node", params=absent)
        if snapshot.unhealthy and resources.device_count:
            return Reason(code="waits_for_healthy_gpus", params={"unhealthy": snapshot.unhealthy})
        refusal = refuse(resources, gang.size, [room.node for room in rooms])
        assert refusal is not None
        return refusal
    offers = [room.offer(resources, kept=True) for room in rooms]
    fitting = sum(offer.holds(resources) for offer in offers)
    if fitting >= gang.size:
        return Reason(code="waits_behind_head")
    if fitting:
        return Reason(code="waits_for_nodes", params={"asked": gang.size, "most": fitting})
    return _binding("waits_for", resources, offers)


@dataclass(frozen=True)
class _Offer:
    """What one node has for a demand."""

    node: str
    cpu_millis: int
    memory_bytes: int
    devices: int  # of those the demand can use

    @staticmethod
    def whole(node: Node, resources: Resources) -> "_Offer":
        usable = sum(_usable(device, resources) for device in node.devices)
        return _Offer(node.name, node.cpu_millis, node.memory_bytes, usable)

    def holds(self, resources: Resources) -> bool:
        return (
            self.cpu_millis >= resources.cpu_millis
            and self.memory_bytes >= resources.memory_bytes
            and self.devices >= resources.device_count
        )


@dataclass
class _Room:
    """What is free on a node during a pass, and what of it is kept for the head of the queue."""

    node: Node
    cpu_millis: int = field(init=False)
    memory_bytes: int = field(init=False)
    idle: list[Device] = field(init=False)
    kept_cpu_millis: int = 0
    kept_memory_bytes: int = 0
    kept_devices: set[UUID] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cpu_millis = self.node.free_cpu_millis
        self.memory_bytes = self.node.free_memory_bytes
        # the smallest device that will do is given first
        self.idle = sorted(self.node.idle, key=lambda d: (d.memory_bytes, d.index, d.id))

    def offer(self, resources: Resources, *, kept: bool = False) -> _Offer:
        """What is free for a demand; with ``kept``, what is kept for the head as well."""
        if kept:
            usable = sum(_usable(device, resources) for device in self.idle)
            return _Offer(self.node.name, self.cpu_millis, self.memory_bytes, usable)
        return _Offer(
            self.node.name,
            self.cpu_millis - self.kept_cpu_millis,
            self.memory_bytes - self.kept_memory_bytes,
            len(self._open(resources)),
        )

    def left(self, resources: Resources) -> tuple[int, int, int, str]:
        """What would be left over: the smaller, the better the fit."""
        return (
            len(self.idle) - resources.device_count,
            self.cpu_millis - resources.cpu_millis,
            self.memory_bytes - resources.memory_bytes,
            self.node.name,
        )

    def lacks(self, resources: Resources) -> tuple[int, float, str]:
        """How far the demand is from fitting."""
        offer = self.offer(resources, kept=True)
        return (
            max(0, resources.device_count - offer.devices),
            max(
                _shortfall(resources.cpu_millis, offer.cpu_millis),
                _shortfall(resources.memory_bytes, offer.memory_bytes),
            ),
            self.node.name,
        )

    def take(self, resources: Resources) -> Place:
        taken = self._open(resources)[: resources.device_count]
        self.cpu_millis -= resources.cpu_millis
        self.memory_bytes -= resources.memory_bytes
        self.idle = [device for device in self.idle if device not in taken]
        return Place(self.node.id, tuple(device.id for device in taken))

    def keep(self, resources: Resources) -> None:
        self.kept_cpu_millis = min(self.cpu_millis, resources.cpu_millis)
        self.kept_memory_bytes = min(self.memory_bytes, resources.memory_bytes)
        self.kept_devices = {d.id for d in self._open(resources)[: resources.device_count]}

    def _open(self, resources: Resources) -> list[Device]:
        return [
            device
            for device in self.idle
            if device.id not in self.kept_devices and _usable(device, resources)
        ]


def _usable(device: Device, resources: Resources) -> bool:
    """Whether a device is of the asked kind ("H100" means every H100) and large enough."""
    return (
        resources.device_kind.casefold() in device.kind.casefold()
        and device.memory_bytes >= resources.device_memory_bytes
    )


def _shortfall(asked: int, free: int) -> float:
    return max(0, asked - free) / asked if asked else 0.0


def _binding(prefix: str, resources: Resources, offers: list[_Offer]) -> Reason:
    """The resource of which even the best node has too little; all of them, if it is the mix."""
    gpus = max(offers, key=lambda offer: offer.devices)
    cpus = max(offers, key=lambda offer: offer.cpu_millis)
    memory = max(offers, key=lambda offer: offer.memory_bytes)
    if gpus.devices < resources.device_count:
        code, which = _gpus(resources)
        return Reason(
            code=f"{prefix}_{code}",
            params={
                "asked": resources.device_count,
                **which,
                "most": gpus.devices,
                "node": gpus.node,
            },
        )
    if cpus.cpu_millis < resources.cpu_millis:
        return Reason(
            code=f"{prefix}_cpus",
            params={
                "asked": _cpus(resources.cpu_millis),
                "most": _cpus(cpus.cpu_millis),
                "node": cpus.node,
            },
        )
    if memory.memory_bytes < resources.memory_bytes:
        return Reason(
            code=f"{prefix}_memory",
            params={
                "asked_gib": _gib(resources.memory_bytes, up=True),
                "most_gib": _gib(memory.memory_bytes),
                "node": memory.node,
            },
        )
    return Reason(
        code=f"{prefix}_all",
        params={
            "cpus": _cpus(resources.cpu_millis),
            "memory_gib": _gib(resources.memory_bytes, up=True),
            "gpus": resources.device_count,
        },
    )


def _gpus(resources: Resources) -> tuple[str, dict[str, object]]:
    gib = _gib(resources.device_memory_bytes, up=True)
    match bool(resources.device_kind), bool(resources.device_memory_bytes):
        case True, True:
            return "gpus_of_kind_and_memory", {"kind": resources.device_kind, "gib": gib}
        case True, False:
            return "gpus_of_kind", {"kind": resources.device_kind}
        case False, True:
            return "gpus_of_memory", {"gib": gib}
    return "gpus", {}


def _cpus(millis: int) -> float | int:
    return millis // 1000 if millis % 1000 == 0 else millis / 1000


def _gib(size: int, *, up: bool = False) -> float | int:
    """Tenths of a GiB: demands round up and offers down, lest a sentence contradict itself."""
    tenths = (math.ceil if up else math.floor)(size * 10 / GIB)
    return tenths // 10 if tenths % 10 == 0 else tenths / 10
