"""What happened to a job and why."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.protocol.base import Reason
from agents.protocol.workloads import Cause, WorkloadState
from apps.common.actors import Actor, ActorKind
from apps.common.ids import uuid7
from apps.jobs import history, services
from apps.jobs.models import Job
from apps.workloads import scheduling, selectors
from apps.workloads import services as workloads
from apps.workloads.models import Gang, WorkloadEvent
from tests import make as people
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_api import body_of, signed_in, url
from tests.apps.jobs.test_road import EVALUATION, TRAINED
from tests.apps.workloads import make as hosts

pytestmark = pytest.mark.django_db

S = WorkloadState
ANN = Actor(ActorKind.USER, uuid7(), "ann")


@pytest.fixture
def project():
    return make.project()


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """What is written down by the database's clock is to fit what the services are told."""
    monkeypatch.setattr(make, "NOON", timezone.now())


def settled(job: Job) -> Job:
    services.settle_runs(at=timezone.now())
    return Job.objects.get(pk=job.pk)


def agent() -> Agent:
    return Agent(hosts.node(name="one"), at=timezone.now())


def codes(job) -> list[str]:
    return [event.what.code.removeprefix("event_") for event in history.events_of(job)]


class TestEvents:
    def test_of_a_training_tell_its_whole_road(self, project):
        make.ready(project)
        job = make.train(project, actor=ANN, config={"model": "net"})
        scheduling.schedule_waiting(at=timezone.now())
        agent().run().succeed(TRAINED | {"evaluation.json": EVALUATION})
        job = settled(job)

        events = history.events_of(job)

        assert set(codes(job)) >= {"outputs_kept", "model_registered", "evaluated"}
        moves = [c for c in codes(job) if c in {"submitted", "waits", "placed", "starting"}]
        assert moves == ["submitted", "waits", "placed", "starting"]
        assert (events[0].actor, events[0].what.params) == ("ann", {"actor": "ann"})
        assert [e.node for e in events if e.what.code == "event_running"] == ["one"]
        assert [e.what.params for e in events if e.what.code == "event_evaluated"] == [
            {"model": "net@1", "dataset": "digits@1", "split": "test"}
        ]

    def test_say_why_it_waited(self, project):
        node = hosts.node(cpus=1)
        make.script(project, name="first")
        job = make.script(project)
        for _ in range(2):  # the same reason is told once
            scheduling.schedule_waiting(at=timezone.now())

        (waits,) = [e for e in history.events_of(job) if e.what.code == "event_waits"]

        assert waits.reason == {
            "code": "waits_for_cpus",
            "params": {"asked": 1, "most": 0, "node": node.name},
        }

    def test_say_who_stopped_it(self, project):
        job = make.script(project)
        job = services.stop_job(job_id=job.id, actor=ANN, at=timezone.now())

        assert codes(job) == ["submitted", "waits", "stop_asked", "ended"]
        assert history.events_of(job)[-1].reason == {
            "code": "stopped_by",
            "params": {"name": "ann"},
        }

    def test_tell_of_every_try(self, project):
        job = make.script(project, max_retries=1)
        agent().run().fail("disk_full", cause=Cause.ENVIRONMENT)
        job = settled(job)

        assert [e.run for e in history.events_of(job) if e.what.code == "event_queued_again"] == [2]
        assert "ended" in codes(job)

    def test_tell_that_a_silent_node_lost_it(self, project):
        job = make.script(project)
        agent().take_order()

        assert workloads.take_back(gang_id=Gang.objects.get().id, at=timezone.now())

        assert codes(job)[-2:] == ["placed", "taken_back"]

    def test_tell_that_what_it_left_is_of_no_use(self, project):
        make.ready(project)
        job = make.train(project)
        agent().run().succeed({"notes.txt": b"hello"})
        job = settled(job)

        assert "results_unusable" in codes(job)

    def test_are_pages_in_the_readers_language(self, project):
        client = signed_in(people.member(project))
        job = make.script(project, actor=ANN)
        services.stop_job(job_id=job.id, actor=ANN, at=timezone.now())

        first = body_of(client.get(url(project, job.id, "events"), {"limit": 3}))
        second = body_of(
            client.get(
                url(project, job.id, "events"),
                {"limit": 2, "cursor": first["next"]},
                HTTP_ACCEPT_LANGUAGE="zh-CN",
            )
        )

        assert first["results"][0]["what"]["text"] == "ann submitted it."
        assert [e["what"]["code"] for e in second["results"]] == ["event_ended"]
        assert second["results"][0]["what"]["text"] == "已结束：由 ann 停止。"
        assert second["next"] is None

    def test_of_another_projects_job_are_not_there(self, project):
        client = signed_in(people.member(project))
        foreign = make.script(make.project())

        assert client.get(url(project, foreign.id, "events")).status_code == 404

    def test_refuse_a_cursor_of_another_job(self, project):
        client = signed_in(people.member(project))
        one, other = make.script(project), make.script(project)
        services.stop_job(job_id=one.id, actor=ANN, at=timezone.now())
        cursor = body_of(client.get(url(project, one.id, "events"), {"limit": 1}))["next"]

        response = client.get(url(project, other.id, "events"), {"cursor": cursor})

        assert body_of(response)["code"] == "cursor_refused"


class TestWhatIsRemembered:
    def test_of_reasons_to_wait_is_bounded(self, monkeypatch, project):
        monkeypatch.setattr(workloads.moves, "MOST_WAITS", 3)
        gang = hosts.gang()
        for number in range(9):
            why = {gang.id: Reason(code=f"reason_{number}")}
            workloads.explain_waiting(why=why, at=timezone.now() + timedelta(seconds=number))

        events = selectors.events_of([gang.id])[gang.id]

        assert [e.reason["code"] for e in events] == ["no_nodes", "reason_0", "reason_1"]

    def test_of_moves_is_bounded_but_for_the_end(self, monkeypatch, project):
        monkeypatch.setattr(workloads.moves, "MOST_EVENTS", 2)
        host = agent()
        make.script(project)

        host.run().succeed()

        assert list(WorkloadEvent.objects.order_by("id").values_list("state", flat=True)) == [
            "assigned",
            "starting",
            "succeeded",
        ]
