"""Finding jobs, and what a page of them shows."""

from datetime import timedelta

import pytest

from agents.protocol.workloads import WorkloadState
from apps.common.actors import SYSTEM
from apps.common.ids import uuid7
from apps.jobs import forecast, selectors, services
from apps.jobs.models import Job
from tests import make as people
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_api import body_of, signed_in, url
from tests.apps.jobs.test_evaluate import trained
from tests.apps.jobs.test_road import settled
from tests.apps.workloads import make as hosts
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

S = WorkloadState


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def person(project):
    return people.member(project)


@pytest.fixture
def client(person):
    return signed_in(person)


def names(client, project, **query) -> list[str]:
    response = client.get(url(project), query)
    assert response.status_code == 200, response.content
    return [job["name"] for job in body_of(response)["results"]]


class TestFilters:
    def test_of_several_states_and_kinds(self, client, project):
        make.ready(project)
        stopped = make.script(project, name="stopped")
        make.script(project, name="waiting")
        make.train(project, name="net")
        services.stop_job(job_id=stopped.id, actor=SYSTEM, at=NOON)

        assert names(client, project, state=["cancelled"]) == ["stopped"]
        assert set(names(client, project, state=["cancelled", "queued"])) == {
            "stopped",
            "waiting",
            "net",
        }
        assert names(client, project, kind=["train"], state=["queued"]) == ["net"]
        assert len(names(client, project, kind=["train", "script"])) == 3

    def test_of_who_submitted(self, client, project, person):
        other = people.member(project)
        make.script(project, name="mine", user=person)
        make.script(project, name="theirs", user=other)

        assert names(client, project, submitted_by="me") == ["mine"]
        assert names(client, project, submitted_by=other.username) == ["theirs"]
        assert names(client, project, submitted_by="nobody") == []

    def test_of_what_has_ended_since(self, client, project):
        stopped = make.script(project, name="stopped")
        make.script(project, name="waiting")
        services.stop_job(job_id=stopped.id, actor=SYSTEM, at=NOON)

        assert names(client, project, ended_after=(NOON - timedelta(hours=1)).isoformat()) == [
            "stopped"
        ]
        assert names(client, project, ended_after=NOON.isoformat()) == []

    def test_of_the_dataset_that_is_read(self, client, project):
        make.ready(project)
        make.ready(project, body=b"another zip")
        for name, dataset in (("old", "digits@1"), ("new", "digits@2")):
            make.train(project, name=name, config={"dataset": dataset})
        make.script(project, name="none")

        assert names(client, project, dataset="digits") == ["new", "old"]
        assert names(client, project, dataset="digits@1") == ["old"]

    def test_of_the_model_that_is_read_or_made(self, client, project):
        trained(project, Agent(hosts.node()))
        make.evaluate(project, name="measure")
        make.script(project, name="none")

        assert set(names(client, project, model="net@1")) == {
            "measure",
            "image_classification digits@1",
        }
        assert len(names(client, project, model="net")) == 2

    @pytest.mark.parametrize(
        ("query", "field", "status"),
        [
            ({"state": "tired"}, "state.0", 400),
            ({"kind": "alchemy"}, "kind.0", 400),
            ({"ordering": "colour"}, "ordering", 400),
            ({"dataset": "nope"}, "dataset", 422),
            ({"dataset": "nope@1"}, "dataset", 422),
            ({"model": "nope"}, "model", 422),
        ],
    )
    def test_that_cannot_be_are_said(self, client, project, query, field, status):
        response = client.get(url(project), query)

        assert response.status_code == status
        assert [error["field"] for error in body_of(response)["errors"]] == [field]


class TestOrdering:
    @pytest.mark.parametrize(
        ("ordering", "expected"),
        [
            ("created_at", "bca"),
            ("-created_at", "acb"),
            ("name", "abc"),
            ("-name", "cba"),
            ("-started_at", "bca"),
            ("state", "bac"),
            ("-ended_at", "cab"),
        ],
    )
    def test_holds_over_pages(self, client, project, ordering, expected):
        agent = Agent(hosts.node())
        make.script(project, name="b")
        agent.run()
        c = make.script(project, name="c")
        services.settle_runs(at=NOON)
        make.script(project, name="a")
        services.stop_job(job_id=c.id, actor=SYSTEM, at=NOON)
        if ordering == "-started_at":
            Job.objects.filter(name="c").update(started_at=NOON)

        seen, cursor = "", None
        while True:
            query = {"ordering": ordering, "limit": 1, **({"cursor": cursor} if cursor else {})}
            page = body_of(client.get(url(project), query))
            seen += "".join(job["name"] for job in page["results"])
            if (cursor := page["next"]) is None:
                break

        assert seen == expected

    def test_of_another_list_is_no_cursor_of_this(self, client, project):
        for name in "ab":
            make.script(project, name=name)
        cursor = body_of(client.get(url(project), {"limit": 1}))["next"]

        response = client.get(url(project), {"ordering": "name", "cursor": cursor})

        assert (response.status_code, body_of(response)["code"]) == (400, "cursor_refused")


class TestGlance:
    def test_shows_how_far_it_is_and_how_well_it_does(self, client, project):
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project)
        agent.run()
        agent.at += timedelta(seconds=60)
        agent.write_points(("progress", 1, 0.25), ("train/loss", 1, 2.0), ("train/loss", 2, 1.5))
        job = settled(job)

        seen = selectors.views([job], at=agent.at)[0]

        assert seen.progress == 0.25
        assert seen.time_left_seconds == 180
        assert seen.main_metric == {"name": "train/loss", "value": 1.5, "spark": [2.0, 1.5]}
        (listed,) = body_of(client.get(url(project)))["results"]
        assert (listed["progress"], listed["main_metric"]) == (0.25, seen.main_metric)
        detail = body_of(client.get(url(project, job.id)))
        assert detail["main_metric"] == seen.main_metric

    def test_prefers_what_the_recipe_measures(self, project):
        make.ready(project)
        agent = Agent(hosts.node())
        job = make.train(project)
        agent.run().write_points(("train/loss", 1, 2.0), ("test/accuracy", 1, 0.9))

        assert selectors.view(job).main_metric["name"] == "test/accuracy"

    def test_knows_nothing_of_what_waits(self, project):
        seen = selectors.view(make.script(project))

        assert (seen.progress, seen.time_left_seconds, seen.main_metric) == (None, None, None)

    def test_is_done_with_what_succeeded(self, project):
        agent = Agent(hosts.node())
        job = make.script(project)
        agent.run().succeed()

        seen = selectors.view(settled(job))

        assert (seen.progress, seen.time_left_seconds) == (1.0, None)


class TestTimeLeft:
    def left(self, progress=0.5, told=60, now=60):
        return forecast.seconds_left(
            progress=progress,
            told_at=NOON + timedelta(seconds=told),
            started_at=NOON,
            at=NOON + timedelta(seconds=now),
        )

    def test_is_at_the_pace_so_far(self):
        assert self.left() == 60

    def test_runs_on_while_nothing_is_told(self):
        assert self.left(now=90) == 30

    def test_is_never_negative(self):
        assert self.left(now=900) == 0

    @pytest.mark.parametrize("fields", [{"progress": None}, {"progress": 0.0}, {"told": 0}])
    def test_is_unknown_before_there_is_a_pace(self, fields):
        assert self.left(**fields) is None


class TestStopMany:
    def stop(self, client, project, *ids):
        return client.post(url(project, "stop"), {"ids": [str(i) for i in ids]}, format="json")

    def test_says_of_each_what_became_of_it(self, client, project):
        waiting, over = make.script(project), make.script(project)
        services.stop_job(job_id=over.id, actor=SYSTEM, at=NOON)
        foreign = make.script(make.project())

        response = self.stop(client, project, waiting.id, over.id, foreign.id, waiting.id)

        assert response.status_code == 200
        assert [
            (row["id"], row["stopped"], (row["reason"] or {}).get("code"))
            for row in body_of(response)["results"]
        ] == [
            (str(waiting.id), True, None),
            (str(over.id), False, "job_already_over"),
            (str(foreign.id), False, "not_found"),
        ]
        assert Job.objects.get(pk=foreign.pk).state == "queued"

    def test_needs_a_member(self, project):
        viewer = signed_in(people.member(project, role=people.Role.VIEWER))

        assert self.stop(viewer, project, make.script(project).id).status_code == 403

    @pytest.mark.parametrize("ids", [[], ["x"], [str(uuid7())] * 501])
    def test_refuses_what_is_no_list_of_jobs(self, client, project, ids):
        response = client.post(url(project, "stop"), {"ids": ids}, format="json")

        assert response.status_code == 400
