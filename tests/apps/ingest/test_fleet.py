"""What a page of the whole fleet is told each second: complete, small, in pieces."""

import math
from typing import Any
from uuid import UUID

import msgspec
import pytest

from agents.protocol.link import Live
from apps.common import hub
from apps.common.ids import uuid7
from apps.ingest import fleet
from tests.apps.fleet.hosts import device

BUSY = {
    "utilization_percent": 97.0,
    "memory_used_bytes": 66.4 * 2**30,
    "memory_total_bytes": 80.0 * 2**30,
    "temperature_celsius": 71.0,
    "power_watts": 588.25,
}
HOST = {"cpu_percent": 54.3, "memory_used_bytes": 3.0, "memory_total_bytes": 8.0}


def fleet_of(nodes: int, devices: int) -> dict[UUID, list[fleet.Row]]:
    return {uuid7(): [fleet.row_of(BUSY) for _ in range(devices)] for _ in range(nodes)}


class TestRows:
    def test_are_rounded(self) -> None:
        assert fleet.row_of(BUSY) == [97, 0.83, 71, 588]
        assert fleet.host_of(HOST) == [54, 0.38]

    @pytest.mark.parametrize("odd", [None, math.nan, math.inf, -math.inf, 1e300])
    def test_have_a_gap_for_what_is_no_reading(self, odd: float | None) -> None:
        assert fleet.row_of({**dict.fromkeys(BUSY, odd), "memory_total_bytes": 8.0}) == [None] * 4

    def test_know_no_share_of_nothing(self) -> None:
        assert fleet.row_of(BUSY | {"memory_total_bytes": 0.0})[1] is None

    def test_are_in_the_order_of_the_map(self) -> None:
        devices = [device("b", index=1), device("a", index=1), device("c", index=0)]

        assert fleet.order_of(devices) == ["c", "a", "b"]


class TestMessages:
    def test_of_ten_thousand_devices_fit_what_a_page_may_be_sent(self) -> None:
        nodes = fleet_of(1250, 8)
        hosts = {node: fleet.host_of(HOST) for n, node in enumerate(nodes) if n % 5 == 0}

        told = list(fleet.messages(nodes, hosts, at=1780315200.123))

        sizes = [len(msgspec.json.encode(message)) for message in told]
        assert max(sizes) <= fleet.MOST_CHARACTERS
        assert sum(sizes) < 300_000
        assert sum(sizes) + 1024 * len(sizes) < hub.INBOX_CHARACTERS
        assert {id: rows for one in told for id, rows in one["nodes"].items()} == {
            str(id): rows for id, rows in nodes.items()
        }
        assert sum(len(one["hosts"]) for one in told) == 250

    def test_are_never_too_long_however_odd_the_readings(self) -> None:
        rows: list[fleet.Row] = [[-999999999, -999999999.25, None, 0.01]] * 256
        told = list(fleet.messages({uuid7(): rows for _ in range(40)}, {}, at=1.0))

        assert max(len(msgspec.json.encode(message)) for message in told) <= fleet.MOST_CHARACTERS

    def test_of_nothing_are_none(self) -> None:
        assert list(fleet.messages({}, {}, at=1.0)) == []


class Listening:
    """A hub that somebody listens to, or nobody."""

    def __init__(self, *, watched: bool = True) -> None:
        self.told: list[dict[str, Any]] = []
        self._watched = watched

    async def is_watched(self, topic: str) -> bool:
        assert topic == "fleet.live"
        return self._watched

    def tell(self, topic: str, message: dict[str, Any]) -> None:
        assert topic == "fleet.live"
        self.told.append(message)


@pytest.fixture
def gatherer(monkeypatch: pytest.MonkeyPatch) -> fleet.Gatherer:
    monkeypatch.setattr(fleet, "PERIOD_SECONDS", 0.0)
    monkeypatch.setattr(fleet, "GATHER_SECONDS", 0.0)
    return fleet.Gatherer()


def live(host: fleet.Readings, **devices: fleet.Readings) -> Live:
    return Live(at=1.0, host=dict(host), devices={id: dict(r) for id, r in devices.items()})


async def told(gatherer: fleet.Gatherer) -> None:
    assert gatherer._telling is not None
    await gatherer._telling


class TestGatherer:
    async def test_tells_the_newest_of_each_node_and_is_silent_then(
        self, gatherer: fleet.Gatherer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listening, node = Listening(), uuid7()
        monkeypatch.setattr(hub, "here", lambda: listening)
        gatherer.take(node, ["GPU1"], live({}, GPU1={}))
        gatherer.take(node, ["GPU1"], live({}, GPU1=BUSY))

        await told(gatherer)

        assert [one["nodes"] for one in listening.told] == [{str(node): [[97, 0.83, 71, 588]]}]
        assert gatherer._telling is None

    async def test_tells_a_hosts_own_readings_now_and_then(
        self, gatherer: fleet.Gatherer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listening, node = Listening(), uuid7()
        monkeypatch.setattr(hub, "here", lambda: listening)
        for _ in range(fleet.HOST_TURNS):
            gatherer.take(node, ["GPU1"], live(HOST, GPU1=BUSY))
            await told(gatherer)

        hosts = [one["hosts"] for one in listening.told if one["hosts"]]
        assert hosts == [{str(node): [54, 0.38]}]

    async def test_always_tells_those_of_a_host_without_devices(
        self, gatherer: fleet.Gatherer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listening, node = Listening(), uuid7()
        monkeypatch.setattr(hub, "here", lambda: listening)
        for _ in range(2):
            gatherer.take(node, [], live(HOST))
            await told(gatherer)

        assert [one["hosts"] for one in listening.told] == [{str(node): [54, 0.38]}] * 2

    async def test_says_nothing_while_nobody_listens(
        self, gatherer: fleet.Gatherer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nobody = Listening(watched=False)
        monkeypatch.setattr(hub, "here", lambda: nobody)
        gatherer.take(uuid7(), ["GPU1"], live(HOST, GPU1=BUSY))

        await told(gatherer)

        assert nobody.told == []
