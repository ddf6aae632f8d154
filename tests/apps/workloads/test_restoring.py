"""After a restore: what nodes went on with is believed, and nothing is placed beside it."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from agents.protocol.link import RunningWorkload, WorkloadReport
from agents.protocol.workloads import WorkloadState
from apps.common.actors import SYSTEM
from apps.fleet.models import Node, Outbox
from apps.workloads import scheduling, selectors, services
from apps.workloads.models import Gang, Orphan, Restore, Workload
from apps.workloads.services import restoring
from tests.apps.workloads import make
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

S = WorkloadState
RESTORED = NOON + timedelta(hours=1)


def restored() -> Restore:
    return services.begin_restore(actor=SYSTEM, at=RESTORED)


def heard(node: Node, *, at=RESTORED) -> None:
    Node.objects.filter(pk=node.pk).update(last_contact_at=at + timedelta(seconds=1))


def only(gang: Gang) -> Workload:
    return gang.workloads.select_related("gang", "node").get()


def meet(node: Node, workload: UUID, fence: int, state: S = S.RUNNING) -> None:
    item = RunningWorkload(workload=workload, fence=fence, state=state)
    services.meet(node_id=node.id, running=[item], at=RESTORED)


def report(node: Node, workload: UUID, fence: int, state: S) -> None:
    services.apply_report(
        node_id=node.id,
        report=WorkloadReport(
            seq=1, workload=workload, fence=fence, state=state, at=RESTORED.timestamp()
        ),
        at=RESTORED,
    )


class TestNumbers:
    def test_none_is_given_twice(self) -> None:
        before = make.gang().fence

        restore = restored()

        assert restore.fence_from == before
        assert make.gang().fence > before + 1_000_000 - 1


class TestTheHold:
    def test_nothing_is_placed_until_every_node_was_heard(self) -> None:
        node = make.node(last_contact_at=NOON)
        restored()
        gang = make.gang()

        scheduling.schedule_waiting(at=RESTORED)

        gang.refresh_from_db()
        assert gang.placed_at is None
        assert gang.waiting_reason["code"] == "waits_after_restore"
        assert gang.waiting_reason["params"] == {"nodes": 1, "workloads": 0}
        heard(node)
        scheduling.schedule_waiting(at=RESTORED)
        scheduling.schedule_waiting(at=RESTORED + restoring.SETTLE)
        gang.refresh_from_db()
        assert gang.placed_at is not None
        assert selectors.open_restore() is None

    def test_nothing_is_placed_while_an_orphan_runs(self) -> None:
        node = make.node(last_contact_at=NOON)
        restore = restored()
        heard(node)
        orphan = uuid4()
        meet(node, orphan, restore.fence_from + 1)

        for seconds in (0, 60):
            assert services.is_held(at=RESTORED + timedelta(seconds=seconds))

        services.meet(node_id=node.id, running=[], at=RESTORED)
        assert services.is_held(at=RESTORED + timedelta(seconds=61))
        assert not services.is_held(at=RESTORED + timedelta(seconds=90))

    def test_an_operator_may_go_on_regardless(self) -> None:
        make.node(last_contact_at=NOON)
        restored()

        services.release_restore(actor=SYSTEM, at=RESTORED)

        assert not services.is_held(at=RESTORED)
        with pytest.raises(services.NothingHeld):
            services.release_restore(actor=SYSTEM, at=RESTORED)

    def test_what_was_placed_is_not_taken_back_from_a_silent_node(self) -> None:
        make.node(last_contact_at=NOON)
        gang = make.gang()
        scheduling.schedule_waiting(at=NOON)
        fence = gang.fence
        Node.objects.update(contact="suspect")
        restored()

        scheduling.settle_stalled(at=RESTORED)

        gang.refresh_from_db()
        assert gang.fence == fence


class TestAdoption:
    @pytest.mark.parametrize("state", [S.STARTING, S.RUNNING, S.FINISHING])
    def test_what_waited_at_the_backup_and_runs_now_is_believed(self, state: S) -> None:
        node = make.node(last_contact_at=NOON)
        gang = make.gang(cpus=2)
        restored()

        meet(node, only(gang).id, gang.fence, state)

        workload = only(gang)
        assert (workload.node, workload.state) == (node, state)
        node.refresh_from_db()
        assert node.reserved_cpu_millis == (0 if state is S.FINISHING else 2000)

    def test_its_end_is_taken_although_its_start_was_never_heard(self) -> None:
        node = make.node(last_contact_at=NOON)
        gang = make.gang(cpus=2)
        restored()

        report(node, only(gang).id, gang.fence, S.SUCCEEDED)

        assert only(gang).state == S.SUCCEEDED
        node.refresh_from_db()
        assert node.reserved_cpu_millis == 0

    def test_what_was_assigned_at_the_backup_and_has_ended_is_taken(self) -> None:
        node = make.node(last_contact_at=NOON)
        gang = make.gang()
        scheduling.schedule_waiting(at=NOON)
        restored()

        report(node, only(gang).id, gang.fence, S.SUCCEEDED)

        assert only(gang).state == S.SUCCEEDED

    def test_without_a_restore_nobody_is_believed(self) -> None:
        node = make.node()
        gang = make.gang()

        meet(node, only(gang).id, gang.fence)
        with pytest.raises(services.StaleFence):
            report(node, only(gang).id, gang.fence, S.SUCCEEDED)

        assert only(gang).state == S.PENDING


class TestOrphans:
    def test_may_speak_of_themselves(self) -> None:
        node, restore = make.node(), restored()
        unknown = uuid4()
        meet(node, unknown, restore.fence_from + 3)

        row = selectors.fences([unknown])[unknown]
        assert (row.node_id, row.fence) == (node.id, restore.fence_from + 3)
        report(node, unknown, restore.fence_from + 3, S.SUCCEEDED)

        orphan = Orphan.objects.get()
        assert (orphan.state, orphan.ended_at) == (S.SUCCEEDED, RESTORED)
        assert selectors.fences([unknown]) == {}

    def test_are_of_the_lost_time_alone(self) -> None:
        node, restore = make.node(), restored()

        for fence in (restore.fence_from, restore.fence_to + 1):
            meet(node, uuid4(), fence)
            with pytest.raises(services.StaleFence):
                report(node, uuid4(), fence, S.SUCCEEDED)

        assert not Orphan.objects.exists()

    def test_are_stopped_when_somebody_says_so(self) -> None:
        node, restore = make.node(), restored()
        meet(node, uuid4(), restore.fence_from + 1)
        orphan = Orphan.objects.get()

        services.stop_orphan(orphan_id=orphan.id, actor=SYSTEM, at=RESTORED)

        order = Outbox.objects.get()
        assert (order.op, order.workload_id, order.fence) == (
            "stop",
            orphan.workload_id,
            orphan.fence,
        )


class TestANodeThatIsGone:
    def test_loses_what_it_ran_and_leaves(self) -> None:
        node = make.node(last_contact_at=NOON)
        running, placed = make.gang(), make.gang()
        scheduling.schedule_waiting(at=NOON)
        restored()
        meet(node, only(running).id, running.fence)

        services.give_up_node(node_id=node.id, actor=SYSTEM, at=RESTORED)

        assert only(running).state == S.LOST
        assert only(placed).state == S.PENDING
        node.refresh_from_db()
        assert node.removed_at == RESTORED
