"""What must hold when two do the same at once: real transactions, real threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from agents.protocol.link import WorkloadReport
from agents.protocol.rest import StartRequest
from agents.protocol.workloads import WorkloadState
from apps.common.actors import SYSTEM
from apps.fleet.models import Node, Outbox
from apps.workloads import placement, scheduling, selectors, services
from apps.workloads.models import Lease, Workload
from tests.apps.workloads import make
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call gives, or raises, when all begin together."""
    together = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            together.wait(10)
            return call()
        except Exception as error:  # noqa: BLE001 - what it raises is what is looked at
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_placements_of_one_gang_make_one():
    node = make.node(cpus=8, gpus=2)
    gang = make.gang(gpus=1)
    (decision,) = placement.plan(selectors.snapshot(), selectors.queue())
    assert isinstance(decision, placement.Placed)

    def assign() -> None:
        services.assign(gang_id=gang.id, places=decision.places, at=NOON)

    results = at_once(assign, assign, assign)

    assert results.count(None) == 1
    node.refresh_from_db()
    assert node.reserved_cpu_millis == 1000
    assert Lease.objects.count() == Outbox.objects.count() == 1


def test_two_gangs_never_share_a_device():
    make.node(cpus=8, gpus=1)
    first, second = make.gang(gpus=1), make.gang(gpus=1)
    (decision, _) = placement.plan(selectors.snapshot(), selectors.queue())
    assert isinstance(decision, placement.Placed)

    results = at_once(
        lambda: services.assign(gang_id=first.id, places=decision.places, at=NOON),
        lambda: services.assign(gang_id=second.id, places=decision.places, at=NOON),
    )

    assert results.count(None) == 1
    assert Lease.objects.count() == 1
    assert Node.objects.get().reserved_cpu_millis == 1000


def test_schedulers_share_a_queue_without_booking_twice():
    make.node(cpus=4)
    make.node(cpus=4)
    for _ in range(12):
        make.gang()

    results = at_once(*[lambda: scheduling.schedule_waiting(at=NOON)] * 4)
    scheduling.schedule_waiting(at=NOON)

    assert results == [None] * 4
    assert Workload.objects.filter(state="assigned").count() == 8
    assert sorted(Node.objects.values_list("reserved_cpu_millis", flat=True)) == [4000, 4000]
    assert Outbox.objects.count() == 8


def test_of_two_starts_one_gets_yes():
    node = make.node()
    gang = make.gang()
    scheduling.schedule_waiting(at=NOON)
    workload = gang.workloads.get()

    def ask(nonce: str) -> str:
        return services.approve_start(
            workload_id=workload.id,
            node_id=node.id,
            request=StartRequest(fence=gang.fence, nonce=nonce),
            at=NOON,
        ).answer

    answers = at_once(lambda: ask("one"), lambda: ask("two"), lambda: ask("three"))

    assert sorted(answers) == ["no", "no", "yes"]


def test_a_start_and_a_stop_never_both_win():
    node = make.node()
    for _ in range(8):
        gang = make.gang()
        scheduling.schedule_waiting(at=NOON)
        workload, fence = gang.workloads.get(), gang.fence

        def ask(workload=workload, fence=fence) -> str:
            return services.approve_start(
                workload_id=workload.id,
                node_id=node.id,
                request=StartRequest(fence=fence, nonce="n"),
                at=NOON,
            ).answer

        def stop(gang=gang) -> None:
            services.stop_gang(gang_id=gang.id, actor=SYSTEM, at=NOON)

        answer, _ = at_once(ask, stop)

        workload.refresh_from_db()
        orders = Outbox.objects.filter(workload_id=workload.id, settled_at=None)
        if answer == "yes":  # then the node is told to stop it
            assert workload.state == "stopping"
            assert [order.op for order in orders.filter(op="stop")] == ["stop"]
        else:
            assert workload.state == "stopped"
            assert not orders.exists()


def test_room_is_given_back_once_however_often_the_end_is_told():
    node = make.node()
    gang = make.gang()
    scheduling.schedule_waiting(at=NOON)
    workload = gang.workloads.get()
    services.approve_start(
        workload_id=workload.id,
        node_id=node.id,
        request=StartRequest(fence=gang.fence, nonce="n"),
        at=NOON,
    )

    def tell(state: WorkloadState) -> None:
        services.apply_report(
            node_id=node.id,
            report=WorkloadReport(
                seq=1, workload=workload.id, fence=gang.fence, state=state, at=NOON.timestamp()
            ),
            at=NOON,
        )

    tell(WorkloadState.RUNNING)
    ends = (WorkloadState.FAILED, WorkloadState.FINISHING, WorkloadState.SUCCEEDED)
    results = at_once(*[lambda state=state: tell(state) for state in ends])

    assert results == [None, None, None]
    node.refresh_from_db()
    workload.refresh_from_db()
    assert (node.reserved_cpu_millis, node.reserved_memory_bytes) == (0, 0)
    assert workload.state in ("failed", "succeeded")
