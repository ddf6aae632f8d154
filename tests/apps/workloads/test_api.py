"""What runs where, as people see it: names only for those whose work it is."""

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from agents.protocol.base import Reason
from apps.common import reasons
from apps.common.ids import uuid7
from apps.fleet.models import Device
from apps.jobs.models import Job, JobKind, Run
from apps.projects.models import Project
from apps.workloads import scheduling
from apps.workloads.models import Lease, Workload
from tests import make as rows
from tests.apps.workloads import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return rows.user()


@pytest.fixture
def get(person):
    headers = rows.bearer(person)
    return lambda path, **query: Client(headers=headers).get(f"/api/v1/{path}", query)


def running(owner: Project, *, gpus: int = 1, name: str = "digits") -> Workload:
    """A workload of a job's first run, placed by the scheduler."""
    job = Job.objects.create(project=owner, name=name, kind=JobKind.TRAIN, config={})
    gang = make.gang(owner=owner, gpus=gpus)
    run = Run.objects.create(job=job, number=1, gang_id=gang.id)
    type(gang).objects.filter(pk=gang.id).update(owner_id=run.id)
    scheduling.schedule_waiting(at=timezone.now())
    return Workload.objects.select_related("gang").get(gang=gang)


def ended(workload: Workload) -> None:
    Lease.objects.filter(workload=workload).update(ended_at=make.NOON)
    Workload.objects.filter(pk=workload.id).update(
        state="failed",
        ended_at=make.NOON,
        reason=reasons.to_row(Reason(code="lost_contact")),
    )


class TestWorkloadsOfANode:
    def test_are_told_by_name_to_members_of_the_project(self, get, person) -> None:
        node, project = make.node(gpus=2), rows.project("alpha", owner=person)
        workload = running(project)

        (told,) = get(f"nodes/{node.id}/workloads").json()["results"]

        run = Run.objects.get()
        device = Lease.objects.get().device.uuid
        assert told == {
            "workload": str(workload.id),
            "kind": "train",
            "state": "assigned",
            "reason": None,
            "assigned_at": told["assigned_at"],
            "started_at": None,
            "ended_at": None,
            "devices": [device],
            "project": "alpha",
            "owner": {"id": str(run.job_id), "name": "digits", "number": 1},
        }

    def test_of_strangers_are_told_without_a_name(self, get) -> None:
        node = make.node(gpus=1)
        ended(running(rows.project("secret"), name="secret plan"))

        answer = get(f"nodes/{node.id}/workloads")

        (told,) = answer.json()["results"]
        assert (told["kind"], told["state"]) == ("run", "failed")
        assert (told["project"], told["owner"], told["reason"]) == (None, None, None)
        assert len(told["devices"]) == 1
        assert "secret" not in answer.content.decode()

    def test_are_those_that_run_those_that_ran_or_both(self, get, person) -> None:
        node, project = make.node(gpus=2), rows.project(owner=person)
        over, going = running(project), running(project)
        ended(over)

        def listed(**query):
            body = get(f"nodes/{node.id}/workloads", **query).json()
            return [told["workload"] for told in body["results"]]

        assert listed(state="live") == [str(going.id)]
        assert listed(state="ended") == [str(over.id)]
        assert listed() == [str(going.id), str(over.id)]
        assert get(f"nodes/{node.id}/workloads", state="odd").status_code == 400

    def test_say_why_they_ended(self, get, person) -> None:
        node = make.node(gpus=1)
        ended(running(rows.project(owner=person)))

        (told,) = get(f"nodes/{node.id}/workloads").json()["results"]

        assert told["reason"]["code"] == "lost_contact"

    def test_are_paged_with_a_handful_of_queries(
        self, get, person, django_assert_max_num_queries
    ) -> None:
        node, project = make.node(gpus=4), rows.project(owner=person)
        for _ in range(4):
            running(project)

        with django_assert_max_num_queries(8):
            first = get(f"nodes/{node.id}/workloads", limit=3).json()
        rest = get(f"nodes/{node.id}/workloads", limit=3, cursor=first["next"]).json()

        assert (len(first["results"]), len(rest["results"]), rest["next"]) == (3, 1, None)

    def test_of_no_node_are_not_there(self, get) -> None:
        assert get(f"nodes/{uuid7()}/workloads").status_code == 404
        removed = make.node(removed_at=make.NOON)
        assert get(f"nodes/{removed.id}/workloads").status_code == 404

    def test_are_for_people(self) -> None:
        node = make.node()
        run = rows.run_bearer(rows.project())

        assert Client(headers=run).get(f"/api/v1/nodes/{node.id}/workloads").status_code == 403


class TestTheMap:
    def test_shows_every_device_and_whose_it_is_to_those_who_may_know(self, get, person) -> None:
        node = make.node(name="alpha", gpus=3)
        mine = running(rows.project("mine", owner=person))
        other = running(rows.project("theirs"))

        body = get("fleet/map").json()

        assert body["fields"] == [
            *("uuid", "name", "memory_bytes", "healthy", "simulated", "leased", "project")
        ]
        (told,) = body["nodes"]
        assert (told["id"], told["name"], told["contact"]) == (str(node.id), "alpha", "fresh")
        assert told["host"] == [8000, 2000, 32 * make.GIB, 2 * make.GIB]
        devices = {row[0]: tuple(row[5:]) for row in told["devices"]}
        held = {lease.workload_id: lease.device.uuid for lease in Lease.objects.all()}
        assert devices[held[mine.id]] == (True, "mine")
        assert devices[held[other.id]] == (True, None)
        assert sorted(devices.values(), key=str) == [(False, None), (True, "mine"), (True, None)]
        assert [row[0] for row in told["devices"]] == list(
            Device.objects.order_by("index").values_list("uuid", flat=True)
        )

    def test_leaves_out_what_is_not_there_any_more(self, get) -> None:
        make.node(removed_at=make.NOON, gpus=1)
        node = make.node(gpus=2)
        Device.objects.filter(node=node, index=0).update(present=False)

        (told,) = get("fleet/map").json()["nodes"]

        assert len(told["devices"]) == 1

    def test_takes_a_handful_of_queries_and_few_bytes(
        self, get, django_assert_max_num_queries
    ) -> None:
        for _ in range(20):
            make.node(gpus=8)

        with django_assert_max_num_queries(8):
            answer = get("fleet/map")

        assert len(answer.content) / 160 < 150  # bytes of a device, its node's included
        assert len(msgspec.json.decode(answer.content)["nodes"]) == 20

    def test_is_for_people(self, client) -> None:
        assert client.get("/api/v1/fleet/map").status_code == 401
        run = rows.run_bearer(rows.project())
        assert Client(headers=run).get("/api/v1/fleet/map").status_code == 403
