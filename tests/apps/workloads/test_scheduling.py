from datetime import timedelta

import pytest

from agents.protocol.rest import StartRequest
from agents.protocol.workloads import WorkloadState
from apps.fleet.models import Contact, Node, Outbox
from apps.workloads import scheduling, services
from apps.workloads.models import Lease
from tests.apps.workloads import make
from tests.apps.workloads.make import GIB, NOON

pytestmark = pytest.mark.django_db


class TestScheduleWaiting:
    def test_reserves_leases_and_orders_the_start(self):
        node = make.node(gpus=2)
        gang = make.gang(cpus=2, gib=4, gpus=1)

        scheduling.schedule_waiting(at=NOON)

        gang.refresh_from_db()
        node.refresh_from_db()
        workload = gang.workloads.get()
        assert (workload.state, workload.node, workload.assigned_at) == ("assigned", node, NOON)
        assert (gang.placed_at, gang.waiting_reason) == (NOON, None)
        assert (node.reserved_cpu_millis, node.reserved_memory_bytes) == (2000, 4 * GIB)
        assert [lease.device.index for lease in workload.leases.all()] == [0]
        order = Outbox.objects.get()
        assert (order.node, order.op, order.gang_id) == (node, "start", gang.id)
        assert (order.workload_id, order.fence) == (workload.id, gang.fence)
        assert order.spec_sha256 == workload.spec_sha256

    def test_never_gives_a_device_twice(self):
        make.node(gpus=2)
        for _ in range(3):
            make.gang(gpus=1)

        scheduling.schedule_waiting(at=NOON)
        scheduling.schedule_waiting(at=NOON)

        assert Lease.objects.filter(ended_at=None).values("device").distinct().count() == 2
        assert Outbox.objects.count() == 2

    def test_goes_by_priority(self):
        make.node(cpus=1)
        first, second = make.gang(), make.gang(priority=1)

        scheduling.schedule_waiting(at=NOON)

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.placed_at, second.placed_at) == (None, NOON)

    def test_writes_down_why_the_rest_waits(self):
        node = make.node(cpus=4, reserved_cpu_millis=3000)
        gang = make.gang(cpus=2)

        scheduling.schedule_waiting(at=NOON)

        gang.refresh_from_db()
        assert gang.waiting_reason == {
            "code": "waits_for_cpus",
            "params": {"asked": 2, "most": 1, "node": node.name},
        }

    @pytest.mark.parametrize(
        "fields",
        [{"contact": Contact.SUSPECT}, {"cordoned_at": NOON}],
        ids=["unreachable", "cordoned"],
    )
    def test_gives_no_work_to_a_node_that_is_not_ready(self, fields):
        make.node(**fields)
        gang = make.gang()

        scheduling.schedule_waiting(at=NOON)

        gang.refresh_from_db()
        assert gang.waiting_reason["code"] == "no_node_ready"

    def test_gives_no_device_that_is_ill_or_gone(self):
        node = make.node(gpus=2)
        ill, gone = node.devices.all()
        gang = make.gang(gpus=1)
        type(ill).objects.filter(pk=ill.pk).update(healthy=False)
        type(gone).objects.filter(pk=gone.pk).update(present=False)

        scheduling.schedule_waiting(at=NOON)

        gang.refresh_from_db()
        assert gang.placed_at is None

    def test_leaves_the_plan_for_the_next_turn_when_the_room_is_taken_meanwhile(self, monkeypatch):
        node = make.node(cpus=1)
        gang = make.gang()
        snapshot = scheduling.selectors.snapshot()
        Node.objects.filter(pk=node.pk).update(reserved_cpu_millis=500)
        monkeypatch.setattr(scheduling.selectors, "snapshot", lambda **_: snapshot)

        scheduling.schedule_waiting(at=NOON)

        gang.refresh_from_db()
        node.refresh_from_db()
        assert gang.placed_at is None
        assert node.reserved_cpu_millis == 500
        assert not Outbox.objects.exists()


class TestSettleStalled:
    LATER = NOON + timedelta(seconds=61)

    def test_queues_again_what_a_silent_node_has_not_started(self):
        node = make.node(gpus=1)
        gang = make.gang(gpus=1)
        scheduling.schedule_waiting(at=NOON)
        fence = gang.fence
        Node.objects.filter(pk=node.pk).update(contact=Contact.SUSPECT)

        scheduling.settle_stalled(at=self.LATER)

        gang.refresh_from_db()
        node.refresh_from_db()
        workload = gang.workloads.get()
        assert (workload.state, workload.node, gang.placed_at) == ("pending", None, None)
        assert gang.fence > fence
        assert node.reserved_cpu_millis == 0
        assert not Lease.objects.filter(ended_at=None).exists()
        assert not Outbox.objects.filter(settled_at=None).exists()

    def test_leaves_what_was_approved_alone(self):
        node = make.node()
        gang = make.gang()
        scheduling.schedule_waiting(at=NOON)
        services.approve_start(
            workload_id=gang.workloads.get().id,
            node_id=node.id,
            request=StartRequest(fence=gang.fence, nonce="n"),
            at=NOON,
        )
        Node.objects.filter(pk=node.pk).update(contact=Contact.SUSPECT)

        scheduling.settle_stalled(at=self.LATER)

        assert gang.workloads.get().state == WorkloadState.STARTING

    def test_leaves_what_a_ready_node_is_about_to_start(self):
        make.node()
        gang = make.gang()
        scheduling.schedule_waiting(at=NOON)

        scheduling.settle_stalled(at=self.LATER)

        assert gang.workloads.get().state == WorkloadState.ASSIGNED

    def test_ends_a_gang_that_does_not_gather(self):
        make.node()
        make.node()
        gang = make.gang(size=2)
        scheduling.schedule_waiting(at=NOON)

        scheduling.settle_stalled(at=NOON + timedelta(seconds=181))

        gang.refresh_from_db()
        assert gang.ended_at is not None
        first, second = gang.workloads.order_by("rank")
        assert (first.state, first.cause) == ("failed", "environment")
        assert first.reason["code"] == "gang_incomplete"
        assert (second.state, second.reason["code"]) == ("stopped", "gang_member_ended")


class TestSimulatedNodes:
    """Nothing that is to be computed goes where nothing is computed, and the other way round."""

    def test_take_what_asks_for_them_and_nothing_else(self):
        real, pretended = make.node(gpus=1), make.node(gpus=1, simulated=True)
        work, pretence = make.gang(gpus=1), make.gang(gpus=1, simulated=True)

        scheduling.schedule_waiting(at=NOON)

        assert work.workloads.get().node == real
        assert pretence.workloads.get().node == pretended

    def test_do_not_take_work_that_waits(self):
        make.node(gpus=1, reserved_cpu_millis=8000)
        make.node(gpus=1, simulated=True)
        gang = make.gang(gpus=1)

        scheduling.schedule_waiting(at=NOON)

        gang.refresh_from_db()
        assert (gang.placed_at, gang.waiting_reason["code"]) == (None, "waits_for_cpus")

    def test_do_not_count_as_room_that_there_could_be(self):
        make.node(gpus=1)
        make.node(gpus=8, simulated=True)

        with pytest.raises(services.DemandTooLarge):
            make.gang(gpus=4)
