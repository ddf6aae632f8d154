from datetime import timedelta

import pytest

from agents.protocol.base import Reason
from agents.protocol.link import RunningWorkload, WorkloadReport
from agents.protocol.rest import OutputRequest, StartRequest
from agents.protocol.specs import FileRef, Input
from agents.protocol.workloads import Cause, WorkloadState
from apps.accounts.models import Token
from apps.artifacts.models import Artifact
from apps.common.actors import SYSTEM
from apps.common.errors import NotFound
from apps.common.ids import uuid7
from apps.fleet import services as fleet
from apps.fleet.models import Node, Outbox
from apps.workloads import scheduling, selectors, services
from apps.workloads.models import Gang, Lease, Workload
from tests.apps.workloads import make
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

S = WorkloadState
LATER = NOON + timedelta(seconds=10)


def placed(**wanted: int) -> Workload:
    """An assigned workload, on a node of its own."""
    make.node(gpus=wanted.get("gpus", 0))
    gang = make.gang(**wanted)
    scheduling.schedule_waiting(at=NOON)
    return gang.workloads.select_related("gang", "node").get()


def ask(workload: Workload, *, nonce: str = "nonce", fence: int | None = None, **fields):
    return services.approve_start(
        workload_id=workload.id,
        node_id=fields.pop("node_id", workload.node_id),
        request=StartRequest(fence=fence or workload.gang.fence, nonce=nonce, **fields),
        at=NOON,
    )


def started(state: WorkloadState = S.RUNNING, **wanted: int) -> Workload:
    """A workload whose node has been told yes and has told of its state."""
    workload = placed(**wanted)
    assert ask(workload).answer == "yes"
    if state is not S.STARTING:
        tell(workload, state)
    return fresh(workload)


def tell(workload: Workload, state: WorkloadState, *, at=LATER, **fields) -> None:
    services.apply_report(
        node_id=fields.pop("node_id", workload.node_id),
        report=WorkloadReport(
            seq=1,
            workload=workload.id,
            fence=fields.pop("fence", workload.gang.fence),
            state=state,
            at=at.timestamp(),
            **fields,
        ),
        at=at,
    )


def fresh(workload: Workload) -> Workload:
    return Workload.objects.select_related("gang", "node").get(pk=workload.pk)


def reserved(workload: Workload) -> int:
    return Node.objects.get(pk=workload.node_id).reserved_cpu_millis


class TestRequestGang:
    def test_queues_its_workloads_and_says_so(self, published):
        gang = make.gang(size=2)

        assert [w.state for w in gang.workloads.all()] == ["pending", "pending"]
        assert [event.name for event in published] == ["gang.queued"]

    def test_says_at_once_that_there_is_no_node(self):
        assert make.gang().waiting_reason == {"code": "no_nodes", "params": {}}

    def test_refuses_what_no_node_could_ever_hold(self):
        node = make.node(cpus=4)

        with pytest.raises(services.DemandTooLarge) as refusal:
            make.gang(cpus=5)

        assert refusal.value.code == "exceeds_cpus"
        assert refusal.value.params == {"asked": 5, "most": 4, "node": node.name}
        assert not Gang.objects.exists()

    def test_takes_what_is_only_busy_or_away(self):
        make.node(cpus=4, reserved_cpu_millis=4000, contact="suspect")

        assert make.gang(cpus=4).waiting_reason is None


class TestApproveStart:
    def test_says_yes_once_with_all_it_needs(self):
        node = make.node(gpus=1)
        file = FileRef(path="a.zip", digest="a" * 64, size=3)
        gang = services.request_gang(
            project=make.project(),
            owner_kind="run",
            owner_id=uuid7(),
            resources=make.resources(gpus=1),
            specs=[make.spec(inputs=[Input(name="digits", files=[file])])],
            priority=0,
            at=NOON,
        )
        scheduling.schedule_waiting(at=NOON)
        workload = gang.workloads.select_related("gang").get()

        answer = ask(workload)

        assert answer.answer == "yes"
        assert answer.run_token.startswith("dhr_")
        assert Token.objects.get().run_id == gang.owner_id
        assert answer.project == gang.project.slug
        assert [(t.digest, t.size) for t in answer.tickets] == [("a" * 64, 3)]
        assert answer.tickets[0].url.startswith("/transfer/")
        assert answer.devices == [node.devices.get().uuid]
        assert answer.gang is not None
        assert (answer.gang.rank, answer.gang.world_size) == (0, 1)
        assert fresh(workload).state == S.STARTING

    def test_says_yes_again_to_the_same_nonce(self):
        workload = placed()

        assert [ask(workload).answer, ask(workload).answer] == ["yes", "yes"]

    def test_says_no_to_another_nonce(self):
        workload = placed()
        ask(workload)

        answer = ask(workload, nonce="another")

        assert answer.answer == "no"
        assert answer.reason == Reason(code="start_already_approved")

    def test_says_no_to_another_node(self):
        workload = placed()

        assert ask(workload, node_id=make.node().id).reason == Reason(code="start_not_yours")
        assert fresh(workload).state == S.ASSIGNED

    def test_says_no_to_an_old_fence(self):
        workload = placed()

        assert ask(workload, fence=workload.gang.fence - 1).reason == Reason(code="start_stale")

    def test_says_no_to_a_workload_that_nobody_knows(self):
        answer = services.approve_start(
            workload_id=uuid7(),
            node_id=make.node().id,
            request=StartRequest(fence=1, nonce="n"),
            at=NOON,
        )

        assert answer.reason == Reason(code="start_not_yours")

    @pytest.mark.parametrize("state", [S.RUNNING, S.FINISHING, S.SUCCEEDED, S.FAILED])
    def test_says_no_once_it_has_run(self, state):
        workload = started(state)

        assert ask(workload).answer == "no"

    def test_says_no_once_it_is_to_stop(self):
        workload = started(S.STARTING)
        services.stop_gang(gang_id=workload.gang_id, actor=SYSTEM, at=NOON)

        assert ask(workload).reason == Reason(code="start_over")

    def test_holds_a_gang_back_until_all_have_asked(self):
        make.node()
        make.node()
        gang = make.gang(size=2)
        scheduling.schedule_waiting(at=NOON)
        first, second = gang.workloads.select_related("gang").order_by("rank")

        assert ask(first, fabric_address="10.0.0.1", port=29500).answer == "wait"
        assert ask(first, fabric_address="10.0.0.1", port=29500).answer == "wait"
        yes = ask(second, fabric_address="10.0.0.2")
        assert ask(first, fabric_address="10.0.0.1", port=29500).answer == "yes"

        assert yes.answer == "yes"
        assert yes.gang is not None
        assert (yes.gang.rank, yes.gang.world_size) == (1, 2)
        assert (yes.gang.master_addr, yes.gang.master_port) == ("10.0.0.1", 29500)

    @pytest.mark.parametrize(
        "fields",
        [{"nonce": ""}, {"nonce": "n" * 65}, {"fabric_address": "a" * 256}, {"port": 65536}],
    )
    def test_refuses_what_cannot_be(self, fields):
        workload = placed()

        with pytest.raises(services.StartRequestRefused):
            ask(workload, **fields)


class TestApplyReport:
    def test_moves_the_workload_and_says_so(self, published):
        workload = started(S.STARTING)
        published.clear()

        tell(workload, S.RUNNING)

        workload = fresh(workload)
        assert (workload.state, workload.started_at) == ("running", LATER)
        assert [event.state for event in published] == [S.RUNNING]
        assert published[0].topics == [f"workload.{workload.id}"]

    def test_gives_the_room_back_when_the_process_is_gone(self):
        workload = started(gpus=1)
        assert reserved(workload) == 1000

        tell(workload, S.FINISHING, exit_code=0, log_bytes=12, metrics_bytes=3)

        assert reserved(workload) == 0
        assert not Lease.objects.filter(ended_at=None).exists()
        workload = fresh(workload)
        assert (workload.exit_code, workload.log_bytes, workload.metrics_bytes) == (0, 12, 3)

    def test_gives_the_room_back_once(self):
        workload = started()
        other = make.gang()
        scheduling.schedule_waiting(at=NOON)
        assert reserved(workload) == 2000

        for state in (S.FINISHING, S.FINISHING, S.SUCCEEDED, S.SUCCEEDED, S.FAILED):
            tell(workload, state)

        assert reserved(workload) == 1000
        assert other.workloads.get().state == S.ASSIGNED

    def test_ends_the_gang_with_its_last_workload(self):
        workload = started(S.FINISHING)
        file = FileRef(path="model.safetensors", digest="b" * 64, size=5)

        tell(workload, S.SUCCEEDED, outputs=[file])

        workload = fresh(workload)
        assert (workload.state, workload.ended_at) == ("succeeded", LATER)
        assert workload.outputs == [{"path": file.path, "digest": file.digest, "size": file.size}]
        assert workload.gang.ended_at == LATER
        assert not Outbox.objects.filter(settled_at=None).exists()

    def test_ignores_a_report_that_comes_too_late(self, published):
        workload = started(S.FAILED)
        published.clear()

        tell(workload, S.RUNNING)

        assert fresh(workload).state == S.FAILED
        assert published == []

    def test_refuses_a_stale_fence(self):
        workload = started()

        with pytest.raises(services.StaleFence):
            tell(workload, S.FINISHING, fence=workload.gang.fence - 1)

        assert fresh(workload).state == S.RUNNING

    def test_refuses_another_node(self):
        workload = started()

        with pytest.raises(services.StaleFence):
            tell(workload, S.FINISHING, node_id=make.node().id)

    def test_does_not_let_a_node_run_what_was_not_approved(self):
        workload = placed()

        tell(workload, S.RUNNING)

        assert fresh(workload).state == S.ASSIGNED

    def test_makes_up_for_a_report_that_is_missing(self):
        workload = started(S.STARTING)

        tell(workload, S.SUCCEEDED)

        workload = fresh(workload)
        assert (workload.state, workload.started_at) == ("succeeded", LATER)
        assert reserved(workload) == 0

    def test_believes_no_time_that_cannot_be(self):
        workload = started(S.STARTING)

        for nonsense in (float("nan"), float("inf"), -1e30, 4e9):
            report = WorkloadReport(
                seq=1,
                workload=workload.id,
                fence=workload.gang.fence,
                state=S.RUNNING,
                at=nonsense,
            )
            services.apply_report(node_id=workload.node_id, report=report, at=LATER)

        assert fresh(workload).started_at == LATER

    def test_keeps_of_a_nodes_numbers_what_a_column_holds(self):
        workload = started()

        tell(
            workload,
            S.FAILED,
            exit_code=2**40,
            log_bytes=-1,
            metrics_bytes=2**80,
            reason=Reason(code="odd", params={"line": "a\0b", "share": float("nan")}),
        )

        workload = fresh(workload)
        assert (workload.exit_code, workload.log_bytes) == (2**31 - 1, 0)
        assert workload.metrics_bytes == 2**63 - 1
        assert workload.reason["params"] == {"line": "a\ufffdb", "share": None}

    def test_keeps_the_reason_and_cause_the_node_gives(self):
        workload = started()

        tell(workload, S.FAILED, reason=Reason(code="out_of_disk"), cause=Cause.ENVIRONMENT)

        workload = fresh(workload)
        assert workload.reason == {"code": "out_of_disk", "params": {}}
        assert workload.cause == "environment"

    @pytest.mark.parametrize(
        ("exit_code", "reason"),
        [
            (3, {"code": "ended_with_exit_code", "params": {"exit_code": 3}}),
            (-9, {"code": "ended_by_signal", "params": {"signal": 9}}),
            (None, {"code": "ended_without_reason", "params": {}}),
        ],
    )
    def test_finds_a_reason_where_the_node_gives_none(self, exit_code, reason):
        workload = started()

        tell(workload, S.FAILED, exit_code=exit_code)

        assert fresh(workload).reason == reason

    def test_puts_a_nodes_clock_right(self):
        workload = started(S.STARTING)
        Node.objects.update(clock_offset_ms=3_600_000)

        services.apply_report(
            node_id=workload.node_id,
            report=WorkloadReport(
                seq=1,
                workload=workload.id,
                fence=workload.gang.fence,
                state=S.RUNNING,
                at=(NOON + timedelta(hours=1, seconds=5)).timestamp(),
            ),
            at=LATER,
        )

        assert fresh(workload).started_at == NOON + timedelta(seconds=5)

    def test_takes_the_whole_gang_down_with_one_that_fails(self):
        make.node()
        make.node()
        gang = make.gang(size=2)
        scheduling.schedule_waiting(at=NOON)
        first, second = gang.workloads.select_related("gang").order_by("rank")
        for workload in (first, second, first):
            ask(workload)
        tell(first, S.RUNNING)
        tell(second, S.RUNNING)

        tell(second, S.FAILED, exit_code=1, cause=Cause.USER_CODE)

        first = fresh(first)
        assert (first.state, first.reason["code"]) == ("stopping", "gang_member_ended")
        assert first.gang.ended_at is None
        assert Outbox.objects.get(op="stop").workload_id == first.id
        tell(first, S.STOPPED)
        (gang,) = selectors.gangs([gang.id]).values()
        outcome = selectors.outcome(gang)
        assert outcome is not None
        assert (outcome.state, outcome.cause) == (S.FAILED, Cause.USER_CODE)


class TestStopGang:
    def stop(self, workload: Workload) -> Workload:
        services.stop_gang(gang_id=workload.gang_id, actor=SYSTEM, at=LATER)
        return fresh(workload)

    def test_ends_what_waits_at_once(self):
        workload = self.stop(make.gang().workloads.get())

        assert (workload.state, workload.gang.ended_at) == ("stopped", LATER)
        assert workload.reason == {"code": "stopped_by", "params": {"name": "datahall"}}
        assert not Outbox.objects.exists()

    def test_ends_what_was_not_approved_at_once(self):
        workload = self.stop(placed(gpus=1))

        assert (workload.state, workload.cause) == ("stopped", "stopped")
        assert reserved(workload) == 0
        assert not Outbox.objects.filter(settled_at=None).exists()
        assert ask(workload).answer == "no"

    @pytest.mark.parametrize("state", [S.STARTING, S.RUNNING])
    def test_asks_the_node_to_end_what_lives(self, state):
        workload = self.stop(started(state))

        assert workload.state == S.STOPPING
        assert reserved(workload) == 1000
        (order,) = Outbox.objects.filter(settled_at=None)
        assert (order.op, order.fence, order.grace_seconds) == ("stop", workload.gang.fence, 10.0)

        tell(workload, S.FINISHING)
        tell(workload, S.STOPPED, reason=Reason(code="stopped"), cause=Cause.STOPPED)

        workload = fresh(workload)
        assert (workload.state, workload.reason["code"]) == ("stopped", "stopped_by")
        assert not Outbox.objects.filter(settled_at=None).exists()

    def test_leaves_the_result_of_what_was_just_done(self):
        workload = self.stop(started(S.FINISHING))
        assert workload.state == S.FINISHING

        tell(workload, S.SUCCEEDED)

        workload = fresh(workload)
        assert (workload.state, workload.reason) == ("succeeded", None)

    def test_changes_nothing_that_is_over(self):
        workload = started(S.FAILED)

        assert self.stop(workload).state == S.FAILED

    def test_may_be_asked_twice(self):
        workload = self.stop(self.stop(started()))

        assert workload.state == S.STOPPING
        assert Outbox.objects.filter(op="stop").count() == 1


class TestReconcile:
    def beat(self, workload: Workload, *running: RunningWorkload, times: int = 1) -> Workload:
        for _ in range(times):
            services.reconcile(node_id=workload.node_id, running=running, at=LATER)
        return fresh(workload)

    def listed(self, workload: Workload, **fields) -> RunningWorkload:
        return RunningWorkload(
            workload=workload.id,
            fence=fields.get("fence", workload.gang.fence),
            state=fields.get("state", S.RUNNING),
        )

    def test_leaves_what_is_as_it_should_be(self):
        workload = started()

        assert self.beat(workload, self.listed(workload), times=9).state == S.RUNNING
        assert not Outbox.objects.filter(op="stop").exists()

    def test_loses_what_the_node_does_not_know_for_a_minute(self):
        workload = started()

        assert self.beat(workload, times=6).state == S.RUNNING
        workload = self.beat(workload)

        assert (workload.state, workload.cause) == ("lost", "environment")
        assert workload.reason["code"] == "node_forgot_workload"
        assert reserved(workload) == 0

    def test_forgets_a_gap_that_has_closed(self):
        workload = started()

        self.beat(workload, times=6)
        self.beat(workload, self.listed(workload))

        assert self.beat(workload, times=6).state == S.RUNNING

    @pytest.mark.parametrize("state", [S.STARTING, S.FINISHING])
    def test_loses_what_was_forgotten_before_and_after_the_process_too(self, state):
        workload = started(state)

        assert self.beat(workload, times=7).state == S.LOST

    def test_does_not_lose_what_has_not_begun(self):
        workload = placed()

        assert self.beat(workload, times=9).state == S.ASSIGNED

    def test_stops_again_what_is_over(self):
        workload = started()
        self.beat(workload, times=7)

        self.beat(workload, self.listed(workload))

        (order,) = Outbox.objects.filter(settled_at=None)
        assert (order.op, order.workload_id) == ("stop", workload.id)

    def test_stops_once_more_what_it_says_it_had_stopped(self):
        workload = started()
        services.stop_gang(gang_id=workload.gang_id, actor=SYSTEM, at=LATER)
        tell(workload, S.STOPPED)
        assert not Outbox.objects.filter(settled_at=None).exists()

        self.beat(workload, self.listed(workload))
        assert Outbox.objects.get(settled_at=None).op == "stop"

        tell(workload, S.STOPPED)
        assert not Outbox.objects.filter(settled_at=None).exists()

    def test_stops_what_has_an_old_fence(self):
        workload = started()
        old = workload.gang.fence - 1

        self.beat(workload, self.listed(workload), self.listed(workload, fence=old))

        assert Outbox.objects.get(op="stop").fence == old
        with pytest.raises(services.StaleFence):
            tell(workload, S.STOPPED, fence=old)
        assert not Outbox.objects.filter(op="stop", settled_at=None).exists()

    def test_does_not_let_a_node_keep_anothers_order_from_it(self):
        workload = started()
        liar = make.node()

        services.reconcile(node_id=liar.id, running=[self.listed(workload)], at=LATER)
        services.stop_gang(gang_id=workload.gang_id, actor=SYSTEM, at=LATER)

        assert Outbox.objects.filter(op="stop", node=workload.node, settled_at=None).count() == 1

    def test_does_not_believe_a_node_that_anothers_order_was_obeyed(self):
        workload = started()
        old = workload.gang.fence - 1
        self.beat(workload, self.listed(workload, fence=old))

        with pytest.raises(services.StaleFence):
            tell(workload, S.STOPPED, fence=old, node_id=make.node().id)

        assert Outbox.objects.filter(op="stop", settled_at=None).count() == 1

    def test_gives_only_so_many_orders_at_once(self, monkeypatch):
        monkeypatch.setattr(services.reporting, "MOST_STRANGERS", 1)
        workload = started()
        others = [started() for _ in range(3)]
        old = [self.listed(other, fence=other.gang.fence - 100) for other in others]

        self.beat(workload, self.listed(workload), *old)

        assert Outbox.objects.filter(op="stop").count() == 1

    def test_leaves_what_nobody_knows_alone(self):
        workload = started()
        stranger = RunningWorkload(workload=uuid7(), fence=1, state=S.RUNNING)

        self.beat(workload, self.listed(workload), stranger)

        assert not Outbox.objects.filter(op="stop").exists()


class TestRemovingANode:
    def test_is_refused_while_it_has_something_to_send(self):
        workload = started(S.FINISHING)
        assert reserved(workload) == 0

        with pytest.raises(fleet.NodeBusy):
            fleet.remove(node_id=workload.node_id, actor=SYSTEM, at=LATER)

        tell(workload, S.SUCCEEDED)
        fleet.remove(node_id=workload.node_id, actor=SYSTEM, at=LATER)


class TestFences:
    def test_say_whose_word_counts(self):
        workload = started()

        assert selectors.fences([workload.id, uuid7()]) == {
            workload.id: selectors.FenceRow(workload.node_id, workload.gang.fence, S.RUNNING)
        }


class TestSpecBytes:
    def test_are_for_the_node_it_is_placed_on(self):
        workload = placed()

        body = selectors.spec_bytes(workload.id, workload.node_id)

        assert body == bytes(workload.spec)

    def test_are_for_no_other(self):
        with pytest.raises(NotFound):
            selectors.spec_bytes(placed().id, make.node().id)


class TestOutputs:
    def ask(self, workload: Workload, **fields):
        return services.request_output(
            workload_id=workload.id,
            node_id=fields.get("node_id", workload.node_id),
            request=OutputRequest(fence=workload.gang.fence, digest="c" * 64, size=3),
            at=LATER,
        )

    def test_get_an_address_to_go_to(self):
        answer = self.ask(started(S.FINISHING))

        assert not answer.stored
        assert answer.upload_url.startswith("/transfer/")

    def test_go_on_with_the_upload_that_was_begun(self):
        workload = started(S.FINISHING)

        assert self.ask(workload).upload_url == self.ask(workload).upload_url

    def test_are_refused_once_it_is_over(self):
        workload = started(S.FAILED)

        with pytest.raises(services.StaleFence):
            self.ask(workload)

    def test_are_refused_from_another_node(self):
        workload = started(S.FINISHING)

        with pytest.raises(services.StaleFence):
            self.ask(workload, node_id=make.node().id)

    def test_are_not_taken_twice(self):
        workload = started(S.FINISHING)
        Artifact.objects.create(project=workload.gang.project, digest="c" * 64, size=3)

        services.finish_output(
            workload_id=workload.id,
            node_id=workload.node_id,
            digest="c" * 64,
            fence=workload.gang.fence,
            at=LATER,
        )

    def test_are_not_taken_before_every_byte_is_there(self):
        workload = started(S.FINISHING)
        self.ask(workload)

        with pytest.raises(services.OutputNotThere):
            services.finish_output(
                workload_id=workload.id,
                node_id=workload.node_id,
                digest="c" * 64,
                fence=workload.gang.fence,
                at=LATER,
            )

    def test_are_not_taken_before_they_were_announced(self):
        workload = started(S.FINISHING)

        with pytest.raises(services.OutputNotThere):
            services.finish_output(
                workload_id=workload.id,
                node_id=workload.node_id,
                digest="c" * 64,
                fence=workload.gang.fence,
                at=LATER,
            )
