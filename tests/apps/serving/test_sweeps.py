"""What the controller runs, and what it is woken by, with a replica that is really there."""

import pytest

from agents.protocol.workloads import WorkloadState
from apps.common import sweeps as common
from apps.common.ids import uuid7
from apps.serving import subscribers, sweeps
from apps.serving.models import Replica
from apps.workloads import bearers
from apps.workloads.events import GangWaits, WorkloadMoved
from apps.workloads.models import Workload
from tests.apps.serving import make, test_probing
from tests.apps.serving.make import Hall
from tests.apps.serving.test_probing import Certificate, replica

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch) -> list[str]:
    words: list[str] = []
    monkeypatch.setattr(subscribers, "wake", words.append)
    return words


def running(endpoint) -> Workload:
    return Workload.objects.select_related("gang").get(
        gang_id=Replica.objects.get(deployment__endpoint=endpoint).gang_id
    )


class TestSweeps:
    def test_make_an_endpoint_ready_that_can_be_reached(self, tmp_path, monkeypatch):
        project, hall = make.project(), Hall()
        make.version(project)
        endpoint = make.endpoint(project)
        hall.start()
        workload = running(endpoint)
        bearer = bearers.bearer_of(workload.id, workload.gang.fence)
        monkeypatch.setattr(test_probing, "BEARER", bearer)
        with replica(Certificate(tmp_path)) as service:
            where = {
                "host": service.host,
                "port": service.port,
                "certificate": service.certificate,
            }
            Workload.objects.filter(pk=workload.pk).update(service=where)

            sweeps.probe_replicas()

        assert make.view(endpoint).state == "ready"

    def test_say_why_an_endpoint_cannot_be_reached(self, tmp_path):
        project, hall = make.project(), Hall()
        make.version(project)
        endpoint = make.endpoint(project)
        hall.start()
        certificate = Certificate(tmp_path)
        with replica(certificate) as service:
            pass  # it was there, and is gone
        where = {"host": service.host, "port": service.port, "certificate": certificate.pem}
        Workload.objects.filter(pk=running(endpoint).pk).update(service=where)

        sweeps.probe_replicas()

        reason = make.view(endpoint).reason
        assert reason["code"] == "replica_unreachable"
        assert (reason["params"]["host"], reason["params"]["port"]) == ("127.0.0.1", service.port)

    def test_start_what_was_lost_with_a_crash(self):
        project = make.project()
        Hall()
        make.version(project)
        endpoint = make.endpoint(project, replicas=0)
        type(endpoint).objects.update(replicas_wanted=1)

        sweeps.reconcile_endpoints()

        assert make.states(endpoint) == [(1, "starting")]

    def test_are_called_every_few_seconds_and_by_their_words(self):
        found = {
            name: (sweep.seconds, sweep.wake)
            for name, sweep in common.SWEEPS.items()
            if name.startswith("serving.") and sweep.wake
        }

        assert found["serving.reconcile_endpoints"] == (5, "serving")
        assert found["serving.probe_replicas"] == (5, "replicas")


class TestSubscribers:
    def event(self, owner_kind: str, owner_id, state: WorkloadState) -> WorkloadMoved:
        return WorkloadMoved(
            workload_id=uuid7(),
            gang_id=uuid7(),
            owner_kind=owner_kind,
            owner_id=owner_id,
            project_id=uuid7(),
            state=state,
        )

    def test_look_at_once_at_a_replica_that_moved(self, woken, published):
        project = make.project()
        Hall()
        make.version(project)
        endpoint = make.endpoint(project)
        published.clear()
        moved = Replica.objects.get().id

        subscribers.follow_workload(self.event("replica", moved, WorkloadState.RUNNING))
        subscribers.follow_workload(self.event("replica", moved, WorkloadState.FAILED))

        assert woken == ["serving", "replicas", "serving"]
        assert [event.endpoint_id for event in published] == [endpoint.id] * 2

    def test_say_why_a_replica_waits(self, published):
        project = make.project()
        Hall()
        make.version(project)
        make.endpoint(project)
        published.clear()
        replica_id = Replica.objects.get().id

        subscribers.tell_why_it_waits(
            GangWaits(
                gang_id=uuid7(), owner_kind="replica", owner_id=replica_id, project_id=uuid7()
            )
        )

        assert len(published) == 1

    def test_leave_runs_alone(self, woken, published):
        subscribers.follow_workload(self.event("run", uuid7(), WorkloadState.RUNNING))

        assert (woken, published) == ([], [])
