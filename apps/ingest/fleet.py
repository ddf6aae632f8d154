"""The fleet at a glance: the newest readings of all nodes this process hears from, once a second.

One topic for a page of thousands of devices, instead of one per node. Best effort like everything
live: readings that were told are forgotten, and a node that is silent is not in the next message.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from agents.protocol.link import DeviceInfo, Live
from apps.common import hub
from apps.fleet.inventory import MOST_DEVICES

TOPIC = "fleet.live"
PERIOD_SECONDS = 1.0
GATHER_SECONDS = 0.2  # after the first: a few nodes are told in step with their own seconds
MOST_CHARACTERS = 128 * 1024  # of one message
HOST_TURNS = 5  # a host's own readings come every so many messages: they move slowly

Row = list[float | None]
Readings = Mapping[str, float | None]


def order_of(devices: Sequence[DeviceInfo]) -> list[str]:
    """A node's devices in the order of the map (`workloads.selectors.fleet_map`)."""
    leased = [one for one in devices[:MOST_DEVICES] if not one.divided]
    found = sorted(leased, key=lambda one: (one.index, one.uuid))
    return [device.uuid for device in found]


def row_of(readings: Readings) -> Row:
    """`[utilisation %, memory used of 1, temperature °C, power W]` of a device, rounded."""
    read = readings.get
    return [
        _whole(read("utilization_percent")),
        _share(read("memory_used_bytes"), read("memory_total_bytes")),
        _whole(read("temperature_celsius")),
        _whole(read("power_watts")),
    ]


def host_of(readings: Readings) -> Row:
    """`[CPU %, memory used of 1]` of a host, rounded."""
    return [
        _whole(readings.get("cpu_percent")),
        _share(readings.get("memory_used_bytes"), readings.get("memory_total_bytes")),
    ]


def here() -> "Gatherer":
    """The running event loop's gatherer."""
    loop = asyncio.get_running_loop()
    if loop not in _gatherers:
        _gatherers[loop] = Gatherer()
    return _gatherers[loop]


_gatherers: "WeakKeyDictionary[asyncio.AbstractEventLoop, Gatherer]" = WeakKeyDictionary()


class Gatherer:
    """Holds the newest readings since the last message. Nothing runs while nothing is read."""

    def __init__(self) -> None:
        self._newest: dict[UUID, tuple[Sequence[str], Live]] = {}
        self._turn = 0
        self._telling: asyncio.Task[None] | None = None
        self._told_at = -math.inf

    def take(self, node_id: UUID, devices: Sequence[str], live: Live) -> None:
        """A node's newest readings, its devices in the order of the map."""
        self._newest[node_id] = (devices, live)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_soon())

    async def _tell_soon(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(GATHER_SECONDS, self._told_at + PERIOD_SECONDS - loop.time()))
        self._told_at = loop.time()
        self._telling = None
        newest, self._newest = self._newest, {}
        self._turn += 1
        if not await hub.here().is_watched(TOPIC):
            return  # to round ten thousand readings and send them to nobody would be a waste
        devices = {
            node_id: [row_of(live.devices.get(uuid, {})) for uuid in order]
            for node_id, (order, live) in newest.items()
        }
        hosts = {
            node_id: host_of(live.host)
            for node_id, (order, live) in newest.items()
            if (node_id.int + self._turn) % HOST_TURNS == 0 or not order
        }
        for message in messages(devices, hosts, at=round(time.time(), 3)):
            hub.here().tell(TOPIC, message)


def messages(
    devices: Mapping[UUID, list[Row]], hosts: Mapping[UUID, Row], *, at: float
) -> Iterator[dict[str, Any]]:
    """What is told, in pieces of which none is too long."""
    nodes: dict[str, list[Row]] = {}
    some: dict[str, Row] = {}
    size = 0
    for node_id, rows in devices.items():
        host = hosts.get(node_id)
        more = _length(rows) + (0 if host is None else _length([host]))
        if nodes and size + more > MOST_CHARACTERS - 256:  # the rest of the message
            yield _message(nodes, some, at)
            nodes, some, size = {}, {}, 0
        nodes[str(node_id)] = rows
        if host is not None:
            some[str(node_id)] = host
        size += more
    if nodes:
        yield _message(nodes, some, at)


def _message(nodes: dict[str, list[Row]], hosts: dict[str, Row], at: float) -> dict[str, Any]:
    return {"event": "fleet.samples", "at": at, "nodes": nodes, "hosts": hosts}


def _length(rows: Sequence[Row]) -> int:
    """Characters of a node's rows in JSON, its id included; never too few."""
    return 48 + sum(3 + sum(len(_text(value)) + 1 for value in row) for row in rows)


def _text(value: float | None) -> str:
    return "null" if value is None else repr(value)


def _whole(value: float | None) -> float | None:
    if value is None or not -1e9 < value < 1e9:  # also no NaN
        return None
    return round(value)


def _share(used: float | None, total: float | None) -> float | None:
    if used is None or total is None or not (total > 0 and -1e9 < used / total < 1e9):
        return None
    return round(used / total, 2)
