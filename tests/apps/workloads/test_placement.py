from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.base import Reason, Resources
from apps.workloads.placement import (
    GIB,
    Device,
    Node,
    Placed,
    Snapshot,
    Waiting,
    Waits,
    fit,
    plan,
    refuse,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def device(number: int, *, kind="NVIDIA H100 80GB HBM3", gib=80) -> Device:
    return Device(id=UUID(int=number), index=number, kind=kind, memory_bytes=gib * GIB)


def node(name: str, *, cpus=8, gib=32, free_cpus=None, free_gib=None, devices=(), idle=None):
    return Node(
        id=UUID(int=abs(hash(name)) % 2**64),
        name=name,
        cpu_millis=cpus * 1000,
        memory_bytes=gib * GIB,
        devices=tuple(devices),
        free_cpu_millis=(cpus if free_cpus is None else free_cpus) * 1000,
        free_memory_bytes=(gib if free_gib is None else free_gib) * GIB,
        idle=tuple(devices if idle is None else idle),
    )


def gang(number: int, *, priority=0, size=1, cpus=1, gib=1, gpus=0, kind="", gpu_gib=0) -> Waiting:
    return Waiting(
        gang_id=UUID(int=number),
        priority=priority,
        since=NOON + timedelta(seconds=number),
        size=size,
        resources=Resources(
            cpu_millis=cpus * 1000,
            memory_bytes=gib * GIB,
            device_count=gpus,
            device_kind=kind,
            device_memory_bytes=gpu_gib * GIB,
        ),
    )


def where(snapshot: Snapshot, decision) -> list[str]:
    names = {node.id: node.name for node in snapshot.nodes}
    return [names[place.node_id] for place in decision.places]


class TestPlan:
    def test_takes_the_node_that_is_left_with_the_fewest_idle_devices(self):
        snapshot = Snapshot(
            nodes=(
                node("a", devices=[device(1), device(2), device(3), device(4)]),
                node("b", devices=[device(5), device(6)]),
            )
        )

        (decision,) = plan(snapshot, [gang(1, gpus=1)])

        assert where(snapshot, decision) == ["b"]

    def test_keeps_work_without_gpus_away_from_them(self):
        snapshot = Snapshot(nodes=(node("a", devices=[device(1)]), node("b")))

        (decision,) = plan(snapshot, [gang(1)])

        assert where(snapshot, decision) == ["b"]

    def test_gives_the_smallest_devices_that_will_do(self):
        small, large = device(1, kind="A100", gib=40), device(2, kind="A100", gib=80)
        snapshot = Snapshot(nodes=(node("a", devices=[large, small]),))

        (decision,) = plan(snapshot, [gang(1, gpus=1, gpu_gib=30)])

        assert decision.places[0].device_ids == (small.id,)

    def test_gives_devices_of_the_asked_kind_and_memory(self):
        devices = [device(1, kind="NVIDIA A100", gib=80), device(2, gib=40), device(3, gib=80)]
        snapshot = Snapshot(nodes=(node("a", devices=devices),))

        (decision,) = plan(snapshot, [gang(1, gpus=1, kind="h100", gpu_gib=80)])

        assert decision.places[0].device_ids == (UUID(int=3),)

    def test_avoids_a_node_where_it_failed_only_while_there_is_a_choice(self):
        full, empty = node("a", devices=[device(1)]), node("b", devices=[device(2), device(3)])
        again = replace(gang(1, gpus=1), avoid=frozenset({full.id}))

        (choice,) = plan(Snapshot(nodes=(full, empty)), [again])
        (none,) = plan(Snapshot(nodes=(full,)), [again])

        assert where(Snapshot(nodes=(full, empty)), choice) == ["b"]  # "a" would fit better
        assert where(Snapshot(nodes=(full,)), none) == ["a"]

    def test_says_when_it_waits_for_devices_to_be_seen_to(self):
        snapshot = Snapshot(nodes=(node("a"),), unhealthy=2)

        (decision,) = plan(snapshot, [gang(1, gpus=1)])

        assert decision.reason == Reason(code="waits_for_healthy_gpus", params={"unhealthy": 2})

    def test_goes_by_priority_and_then_by_age(self):
        snapshot = Snapshot(nodes=(node("a", cpus=1),))

        decisions = plan(snapshot, [gang(2), gang(1), gang(3, priority=5)])

        assert [d.gang_id.int for d in decisions] == [3, 1, 2]
        assert [type(d) for d in decisions] == [Placed, Waits, Waits]

    def test_places_a_gang_on_nodes_of_its_own_or_not_at_all(self):
        snapshot = Snapshot(nodes=(node("a"), node("b", free_cpus=0)))

        (decision,) = plan(snapshot, [gang(1, size=2)])

        assert decision == Waits(UUID(int=1), decision.reason)
        assert decision.reason.code == "waits_for_nodes"
        assert decision.reason.params == {"asked": 2, "most": 1}

    def test_places_a_gang_whole(self):
        snapshot = Snapshot(nodes=(node("a"), node("b")))

        (decision,) = plan(snapshot, [gang(1, size=2)])

        assert sorted(where(snapshot, decision)) == ["a", "b"]


class TestHeadOfTheQueue:
    def test_is_not_starved_by_the_small_ones_behind_it(self):
        devices = [device(n) for n in range(4)]
        snapshot = Snapshot(nodes=(node("a", devices=devices, idle=devices[:3]),))

        head, behind = plan(snapshot, [gang(1, gpus=4), gang(2, gpus=1)])

        assert head.reason.code == "waits_for_gpus"
        assert behind.reason.code == "waits_behind_head"

    def test_leaves_the_rest_to_those_behind_it(self):
        devices = [device(n) for n in range(4)]
        snapshot = Snapshot(
            nodes=(node("a", devices=devices, idle=devices[:3]), node("b", devices=[device(9)]))
        )

        _, on_cpus, on_the_other_node = plan(
            snapshot, [gang(1, gpus=4), gang(2, cpus=7), gang(3, gpus=1)]
        )

        assert where(snapshot, on_cpus) == ["b"]
        assert where(snapshot, on_the_other_node) == ["b"]

    def test_lets_cpu_work_use_what_it_does_not_need_of_its_node(self):
        devices = [device(n) for n in range(2)]
        snapshot = Snapshot(nodes=(node("a", devices=devices, idle=devices[:1]),))

        _, behind = plan(snapshot, [gang(1, gpus=2, cpus=4), gang(2, cpus=4)])

        assert where(snapshot, behind) == ["a"]

    def test_is_never_one_that_the_ready_nodes_could_not_hold(self):
        snapshot = Snapshot(nodes=(node("a"),), unreachable=1)

        stuck, behind = plan(snapshot, [gang(1, cpus=64), gang(2, cpus=8)])

        assert stuck.reason.code == "waits_for_absent_node"
        assert isinstance(behind, Placed)


class TestReasons:
    def one(self, snapshot: Snapshot, wanted: Waiting):
        (decision,) = plan(snapshot, [wanted])
        return decision.reason.code, decision.reason.params

    def test_say_that_there_is_no_node(self):
        assert self.one(Snapshot(nodes=()), gang(1)) == ("no_nodes", {})

    def test_say_that_no_node_is_ready(self):
        assert self.one(Snapshot(nodes=(), unreachable=2, cordoned=1), gang(1)) == (
            "no_node_ready",
            {"unreachable": 2, "cordoned": 1},
        )

    def test_name_the_devices_that_are_missing(self):
        devices = [device(n) for n in range(4)]
        snapshot = Snapshot(nodes=(node("node-a", devices=devices, idle=devices[:2]), node("b")))

        assert self.one(snapshot, gang(1, gpus=4, gpu_gib=80)) == (
            "waits_for_gpus_of_memory",
            {"asked": 4, "gib": 80, "most": 2, "node": "node-a"},
        )

    def test_name_the_cpus_that_are_missing(self):
        snapshot = Snapshot(nodes=(node("a", free_cpus=2), node("b", free_cpus=3)))

        assert self.one(snapshot, gang(1, cpus=4)) == (
            "waits_for_cpus",
            {"asked": 4, "most": 3, "node": "b"},
        )

    def test_name_the_memory_that_is_missing(self):
        snapshot = Snapshot(nodes=(node("a", free_gib=3),))

        assert self.one(snapshot, gang(1, gib=4)) == (
            "waits_for_memory",
            {"asked_gib": 4, "most_gib": 3, "node": "a"},
        )

    def test_say_that_the_mix_is_missing(self):
        snapshot = Snapshot(nodes=(node("a", free_cpus=0), node("b", free_gib=0)))

        assert self.one(snapshot, gang(1, cpus=4, gib=4)) == (
            "waits_for_all",
            {"cpus": 4, "memory_gib": 4, "gpus": 0},
        )


class TestRefuse:
    def test_takes_what_the_largest_node_could_hold(self):
        assert refuse(gang(1, cpus=8).resources, 1, [node("a", free_cpus=0)]) is None

    def test_says_the_largest_that_fits(self):
        reason = refuse(gang(1, cpus=9).resources, 1, [node("a"), node("b", cpus=4)])

        assert (reason.code, reason.params) == (
            "exceeds_cpus",
            {"asked": 9, "most": 8, "node": "a"},
        )

    def test_counts_the_nodes_a_gang_would_need(self):
        reason = refuse(gang(1).resources, 3, [node("a"), node("b")])

        assert (reason.code, reason.params) == ("exceeds_nodes", {"asked": 3, "most": 2})

    def test_refuses_nothing_while_there_are_no_nodes(self):
        assert refuse(gang(1, cpus=999).resources, 1, []) is None


KINDS = ("A100", "H100")


@st.composite
def clusters(draw) -> Snapshot:
    nodes = []
    for number in range(draw(st.integers(0, 5))):
        devices = tuple(
            device(
                number * 10 + k,
                kind=draw(st.sampled_from(KINDS)),
                gib=draw(st.sampled_from((40, 80))),
            )
            for k in range(draw(st.integers(0, 4)))
        )
        idle = tuple(d for d in devices if draw(st.booleans()))
        cpus, gib = draw(st.integers(0, 16)), draw(st.integers(0, 16))
        nodes.append(
            Node(
                id=UUID(int=1000 + number),
                name=f"n{number}",
                cpu_millis=cpus * 1000,
                memory_bytes=gib * GIB,
                devices=devices,
                free_cpu_millis=draw(st.integers(0, cpus)) * 1000,
                free_memory_bytes=draw(st.integers(0, gib)) * GIB,
                idle=idle,
            )
        )
    return Snapshot(nodes=tuple(nodes))


@st.composite
def queues(draw) -> list[Waiting]:
    return [
        gang(
            number,
            priority=draw(st.integers(0, 2)),
            size=draw(st.integers(1, 3)),
            cpus=draw(st.integers(0, 8)),
            gib=draw(st.integers(0, 8)),
            gpus=draw(st.integers(0, 3)),
            kind=draw(st.sampled_from(("", *KINDS))),
            gpu_gib=draw(st.sampled_from((0, 60))),
        )
        for number in range(1, draw(st.integers(0, 8)) + 1)
    ]


class TestEveryPlan:
    @given(clusters(), queues())
    def test_stays_within_what_is_free(self, snapshot, queue):
        wanted = {gang.gang_id: gang for gang in queue}
        cpus = {n.id: n.free_cpu_millis for n in snapshot.nodes}
        memory = {n.id: n.free_memory_bytes for n in snapshot.nodes}
        idle = {n.id: {d.id: d for d in n.idle} for n in snapshot.nodes}

        for decision in plan(snapshot, queue):
            if isinstance(decision, Waits):
                continue
            gang = wanted[decision.gang_id]
            assert len({p.node_id for p in decision.places}) == len(decision.places) == gang.size
            for place in decision.places:
                cpus[place.node_id] -= gang.resources.cpu_millis
                memory[place.node_id] -= gang.resources.memory_bytes
                assert cpus[place.node_id] >= 0
                assert memory[place.node_id] >= 0
                assert len(place.device_ids) == gang.resources.device_count
                for id in place.device_ids:
                    given_device = idle[place.node_id].pop(id)  # idle, and given once
                    assert gang.resources.device_kind in given_device.kind
                    assert given_device.memory_bytes >= gang.resources.device_memory_bytes

    @given(clusters(), queues(), st.randoms())
    def test_does_not_depend_on_the_order_of_its_input(self, snapshot, queue, random):
        shuffled = list(queue)
        random.shuffle(shuffled)
        nodes = list(snapshot.nodes)
        random.shuffle(nodes)

        assert plan(Snapshot(nodes=tuple(nodes)), shuffled) == plan(snapshot, queue)

    @given(clusters(), queues())
    def test_decides_about_every_gang_once(self, snapshot, queue):
        assert sorted(d.gang_id for d in plan(snapshot, queue)) == sorted(g.gang_id for g in queue)

    @given(clusters(), queues())
    def test_gives_the_first_in_turn_what_it_would_get_alone(self, snapshot, queue):
        if not queue:
            return
        first = min(queue, key=lambda g: (-g.priority, g.since))

        assert plan(snapshot, queue)[0] == plan(snapshot, [first])[0]

    @given(clusters(), queues())
    def test_never_takes_from_what_the_head_lacks(self, snapshot, queue):
        """Whoever goes behind the head leaves it no further from its place than it was."""
        decisions = plan(snapshot, queue)
        by_id = {gang.gang_id: gang for gang in queue}
        for number, decision in enumerate(decisions):
            if isinstance(decision, Waits) and decision.reason.code.startswith("waits_for_"):
                if decision.reason.code == "waits_for_absent_node":
                    continue
                head = by_id[decision.gang_id]
                before = _after(snapshot, decisions[:number], by_id)
                after = _after(snapshot, decisions, by_id)
                assert _lack(head, after) <= _lack(head, before)
                return


def _after(snapshot, decisions, by_id) -> Snapshot:
    nodes = {node.id: node for node in snapshot.nodes}
    for decision in decisions:
        if isinstance(decision, Waits):
            continue
        resources = by_id[decision.gang_id].resources
        for place in decision.places:
            old = nodes[place.node_id]
            nodes[place.node_id] = Node(
                id=old.id,
                name=old.name,
                cpu_millis=old.cpu_millis,
                memory_bytes=old.memory_bytes,
                devices=old.devices,
                free_cpu_millis=old.free_cpu_millis - resources.cpu_millis,
                free_memory_bytes=old.free_memory_bytes - resources.memory_bytes,
                idle=tuple(d for d in old.idle if d.id not in place.device_ids),
            )
    return Snapshot(nodes=tuple(nodes.values()))


def _lack(head: Waiting, snapshot: Snapshot) -> list[tuple[int, float]]:
    """How far the head is from the nodes that come closest."""

    def usable(devices) -> int:
        r = head.resources
        return sum(
            r.device_kind in d.kind and d.memory_bytes >= r.device_memory_bytes for d in devices
        )

    lacks = []
    for n in snapshot.nodes:
        r = head.resources
        if n.cpu_millis < r.cpu_millis or n.memory_bytes < r.memory_bytes:
            continue
        if usable(n.devices) < r.device_count:
            continue
        short = [
            max(0, asked - free) / asked if asked else 0.0
            for asked, free in (
                (r.cpu_millis, n.free_cpu_millis),
                (r.memory_bytes, n.free_memory_bytes),
            )
        ]
        lacks.append((max(0, r.device_count - usable(n.idle)), max(short)))
    return sorted(lacks)[: head.size]


class TestFit:
    def ask(self, nodes, queue=(), **wanted):
        return fit(
            Snapshot(nodes=tuple(nodes)),
            queue,
            Resources(**{"cpu_millis": 1000, "memory_bytes": GIB} | wanted),
            priority=0,
            since=NOON,
        )

    def test_says_of_each_node_why_not(self):
        found = self.ask([node("a", cpus=8), node("b", cpus=2)], cpu_millis=4000)

        assert found.reason is None
        assert [(n.node, n.reason and n.reason.code) for n in found.nodes] == [
            ("a", None),
            ("b", "exceeds_cpus"),
        ]

    def test_offers_the_room_of_the_node_where_it_comes_closest(self):
        found = self.ask([node("a", cpus=2), node("b", cpus=4)], cpu_millis=6000)

        assert found.largest is not None
        assert found.largest.cpu_millis == 4000

    def test_has_nothing_to_offer_without_nodes(self):
        found = self.ask([])

        assert (found.nodes, found.largest) == ((), None)
        assert found.reason is not None
