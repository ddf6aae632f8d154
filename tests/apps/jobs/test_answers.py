"""What the home page, the search and the pages of versions learn from everybody."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.protocol.base import Reason
from agents.protocol.workloads import WorkloadState
from apps.common import answers
from apps.common.actors import SYSTEM
from apps.datasets import services as datasets
from apps.fleet.models import Contact
from apps.jobs import services
from apps.jobs.models import Job
from apps.registry.models import Model
from apps.workloads import scheduling
from tests import make as people
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_api import body_of, signed_in
from tests.apps.jobs.test_evaluate import EXAMPLE, MEASURED, trained
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


def get(client, project, path, **query):
    response = client.get(f"/api/v1/projects/{project.slug}/{path}", query)
    assert response.status_code == 200, response.content
    return body_of(response)


def failed(project, agent, **fields) -> Job:
    job = make.script(project, **fields)
    agent.run().fail()
    return settled(job)


def needing(project, at=NOON) -> list[tuple[str, str]]:
    return [(item.kind, item.subject.name) for item in answers.needing(project, at)]


class TestAttention:
    def test_names_jobs_that_failed(self, project, person):
        failed(project, Agent(hosts.node()), name="net", user=person)

        (item,) = answers.needing(project, NOON)

        assert (item.kind, item.severity, item.subject.name) == ("job_failed", "error", "net")
        assert (item.reason.code, item.action) == ("boom", "open_log")

    def test_forgets_what_was_made_good(self, project, person):
        agent = Agent(hosts.node())
        failed(project, agent, name="net", user=person)
        job = make.script(project, name="net", user=person)
        agent.run().succeed()
        settled(job)

        assert needing(project) == []

    def test_keeps_what_another_person_made_good(self, project, person):
        agent = Agent(hosts.node())
        failed(project, agent, name="net", user=person)
        job = make.script(project, name="net", user=people.member(project))
        agent.run().succeed()
        settled(job)

        assert needing(project) == [("job_failed", "net")]

    def test_names_the_newest_of_several_that_failed_alike(self, project, person):
        agent = Agent(hosts.node())
        failed(project, agent, name="net", user=person)
        newest = failed(project, agent, name="net", user=person)

        (item,) = answers.needing(project, NOON)

        assert item.subject.id == newest.id

    def test_forgets_what_failed_long_ago(self, project):
        failed(project, Agent(hosts.node()), name="net")

        assert needing(project, NOON + timedelta(days=2)) == []

    def test_names_jobs_that_wait_for_long(self, project):
        make.script(project, name="net")
        now = timezone.now()

        assert needing(project, now + timedelta(minutes=9)) == []
        (item,) = answers.needing(project, now + timedelta(minutes=11))
        assert (item.kind, item.severity, item.reason.code) == ("job_stuck", "warning", "no_nodes")

    def test_does_not_name_what_runs(self, project):
        make.script(project, name="net")
        Agent(hosts.node()).run()

        assert needing(project, timezone.now() + timedelta(hours=1)) == []

    def test_names_nodes_that_take_no_work(self, project):
        hosts.node(name="good")
        hosts.node(name="resting", cordoned_at=NOON)
        hosts.node(name="silent", contact=Contact.SUSPECT)

        assert needing(project) == [("node_unreachable", "silent"), ("node_cordoned", "resting")]

    def test_names_nodes_without_isolation_once_there_is_another_project(self, project):
        hosts.node(name="open", isolation={"profile": "none"})
        hosts.node(name="closed", isolation={"profile": "bwrap"})
        hosts.node(name="silent about it")
        assert needing(project) == []

        make.project()

        assert needing(project) == [("node_not_isolated", "open")]

    def test_names_imports_that_failed_until_another_comes(self, project):
        version = make.published(project)
        datasets.fail_import(version_id=version.id, reason=Reason(code="import_failed"), at=NOON)
        assert needing(project) == [("import_failed", "digits@1")]

        make.published(project, body=b"another")

        assert needing(project) == []

    def test_is_a_page_in_the_readers_language(self, client, project):
        hosts.node(name="silent", contact=Contact.SUSPECT)

        response = client.get(
            f"/api/v1/projects/{project.slug}/attention", HTTP_ACCEPT_LANGUAGE="zh-CN"
        )

        (item,) = body_of(response)["results"]
        assert item["reason"]["text"] == "节点 silent 已有一段时间没有消息。"
        assert item["subject"]["type"] == "node"

    def test_tells_nothing_of_another_project(self, client, project):
        failed(make.project(), Agent(hosts.node()), name="theirs")

        assert get(client, project, "attention")["results"] == []


class TestSearch:
    def test_finds_everything_by_a_part_of_its_name(self, client, project):
        make.ready(project, name="digits")
        Model.objects.create(project=project, name="digits-net")
        make.script(project, name="look at digits")
        make.script(project, name="Digits, again")
        hosts.node(name="digits-1")
        make.script(make.project(), name="digits of others")

        found = get(client, project, "search", q="DIGITS")["results"]

        assert {(f["type"], f["name"]) for f in found} == {
            ("job", "Digits, again"),
            ("job", "look at digits"),
            ("dataset", "digits"),
            ("model", "digits-net"),
            ("node", "digits-1"),
        }
        assert [f["name"] for f in found if f["type"] == "job"][0] == "Digits, again"  # noqa: RUF015

    def test_shows_eight_of_a_type_and_takes_signs_as_they_are(self, client, project):
        for number in range(10):
            make.script(project, name=f"100% {number}")
        make.script(project, name="1000")

        found = get(client, project, "search", q="100%")["results"]

        assert len(found) == 8
        assert all(f["name"].startswith("100% ") for f in found)

    @pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "x" * 101}])
    def test_needs_something_to_look_for(self, client, project, query):
        response = client.get(f"/api/v1/projects/{project.slug}/search", query)

        assert response.status_code == 400


class TestActivity:
    def test_is_told_in_sentences(self, client, project, person):
        make.ready(project)
        job = make.train(project, name="net", user=person, actor=person.actor)
        services.stop_job(job_id=job.id, actor=person.actor, at=NOON)

        first = get(client, project, "activity", limit=2)

        assert [e["text"] for e in first["results"]] == [
            f"{person.username} stopped the job net.",
            f"{person.username} submitted the job net.",
        ]
        assert first["results"][0]["subject"] == {"type": "job", "id": str(job.id), "name": "net"}
        rest = get(client, project, "activity", cursor=first["next"])["results"]
        assert [e["text"] for e in rest] == [
            "digits@1 is imported.",
            "datahall published digits@1.",
            "datahall created the dataset digits.",
        ]

    def test_is_for_members_only(self, project):
        stranger = signed_in(people.user())

        for path in ("activity", "attention", "search?q=x"):
            assert stranger.get(f"/api/v1/projects/{project.slug}/{path}").status_code == 404


class TestVersionPages:
    def test_show_examples_and_who_made_what(self, client, project):
        agent = Agent(hosts.node())
        version = trained(project, agent)
        job = make.evaluate(project, name="measure")
        agent.run().succeed(MEASURED)
        settled(job)

        page = get(client, project, "models/net/versions/1")

        assert (page["id"], page["model"]) == (str(version.id), "net")
        assert page["made_by"]["name"] == "image_classification digits@1"
        (evaluation,) = page["evaluations"]
        assert (evaluation["dataset"], evaluation["split"]) == ("digits@1", "test")
        assert evaluation["made_by"] == {"id": str(job.id), "name": "measure", "run": 1}
        (example,) = evaluation["examples"]
        assert {key: example[key] for key in EXAMPLE} == EXAMPLE
        assert example["url"].startswith("/transfer/")
        assert "examples" not in evaluation["detail"]
        assert {file["path"] for file in page["files"]} == {"model.safetensors", "signature.json"}

    def test_of_no_version_are_not_there(self, client, project):
        trained(project, Agent(hosts.node()))

        response = client.get(f"/api/v1/projects/{project.slug}/models/net/versions/2")

        assert (response.status_code, body_of(response)["code"]) == (404, "model_version_unknown")

    def test_say_who_used_a_version(self, client, project):
        agent = Agent(hosts.node())
        version = trained(project, agent)
        job = make.evaluate(project, name="measure")
        agent.run().succeed(MEASURED)
        settled(job)

        of_data = get(client, project, "datasets/digits/versions/1/used-by")["results"]
        of_model = get(client, project, "models/net/versions/1/used-by")["results"]

        assert [use["job"]["name"] for use in of_data] == [
            "measure",
            "image_classification digits@1",
        ]
        assert of_data[1]["model_version"] == {
            "id": str(version.id),
            "model": "net",
            "number": 1,
        }
        assert [use["run"]["state"] for use in of_data] == ["succeeded", "succeeded"]
        assert [use["job"]["id"] for use in of_model] == [str(job.id)]
        assert of_model[0]["evaluation"]["metrics"]["accuracy"] == 0.977
        first = get(client, project, "datasets/digits/versions/1/used-by", limit=1)
        assert len(first["results"]) == 1
        assert first["next"]

    def test_say_what_changed_since_the_version_before(self, client, project):
        make.ready(project)
        make.ready(project, body=b"another")

        versions = get(client, project, "datasets/digits")["versions"]

        assert [v["changes"] for v in versions] == [{"added": 0, "removed": 0, "changed": 1}, None]

    def test_take_a_description_of_the_model(self, client, project):
        trained(project, Agent(hosts.node()))
        address = f"/api/v1/projects/{project.slug}/models/net"

        shown = client.patch(address, {"description": "Reads digits."}, format="json")

        assert (shown.status_code, body_of(shown)["description"]) == (200, "Reads digits.")
        assert get(client, project, "activity")["results"][0]["code"] == "did_model_describe"


def test_a_schedule_that_never_came_is_told(project):
    """What the scheduler says is what the list of those who wait says."""
    hosts.node(cpus=1, reserved_cpu_millis=1000)
    make.script(project, name="net", actor=SYSTEM)
    scheduling.schedule_waiting(at=NOON)

    (item,) = answers.needing(project, timezone.now() + timedelta(hours=1))

    assert item.reason.code == "waits_for_cpus"
