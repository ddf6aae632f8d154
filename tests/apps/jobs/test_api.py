import json
from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from agents.protocol.workloads import Cause, WorkloadState
from apps.jobs.models import Job
from apps.projects.models import Role
from tests import make as people
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_road import TRAINED, settled
from tests.apps.workloads import make as hosts

pytestmark = pytest.mark.django_db

S = WorkloadState


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def client(project) -> APIClient:
    return signed_in(people.member(project))


def signed_in(user) -> APIClient:
    client = APIClient()
    client.credentials(**headers(people.bearer(user)))
    return client


def headers(bearer: dict[str, str]) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": bearer["Authorization"]}


def url(project, *more) -> str:
    return "/".join([f"/api/v1/projects/{project.slug}/jobs", *map(str, more)])


def body_of(response) -> dict:
    return json.loads(response.content)


class TestCreate:
    def train(self, client, project, **fields):
        body = {"kind": "train", "recipe": "image_classification", "dataset": "digits"} | fields
        return client.post(url(project), body, format="json")

    def test_takes_a_training(self, client, project):
        make.ready(project)

        response = self.train(client, project, name="first", parameters={"epochs": 1})

        job = body_of(response)
        assert response.status_code == 201
        assert (job["name"], job["kind"], job["state"]) == ("first", "train", "queued")
        assert job["config"]["parameters"]["epochs"] == 1
        assert job["resources"]["cpu_millis"] == 1000
        assert [(i["dataset"], i["number"]) for i in job["inputs"]] == [("digits", 1)]
        assert job["run"]["number"] == 1
        assert job["waiting"]["text"].startswith("No node has joined yet")

    def test_takes_a_script(self, client, project):
        code = make.upload(project, b"print(1)", filename="main.py")

        response = client.post(
            url(project),
            {"kind": "script", "code": str(code.id), "entrypoint": "main.py", "env": {"A": ""}},
            format="json",
        )

        assert response.status_code == 201
        assert body_of(response)["submitted_by"].startswith("user-")

    def test_says_unknown_dataset_with_the_field(self, client, project):
        response = self.train(client, project)

        assert response.status_code == 422
        assert response["Content-Type"] == "application/problem+json"
        (error,) = body_of(response)["errors"]
        assert (error["field"], error["code"]) == ("dataset", "dataset_unknown")
        assert "digits" in error["detail"]

    def test_says_it_in_the_readers_language(self, client, project):
        response = client.post(
            url(project),
            {"kind": "train", "recipe": "alchemy", "dataset": "digits"},
            format="json",
            HTTP_ACCEPT_LANGUAGE="zh-CN",
        )

        assert "没有配方" in body_of(response)["errors"][0]["detail"]

    def test_refuses_more_than_any_node_has(self, client, project):
        make.ready(project)
        node = hosts.node(cpus=4)

        response = self.train(client, project, resources={"cpu_millis": 64_000})

        assert response.status_code == 422
        assert body_of(response)["code"] == "exceeds_cpus"
        assert f"the largest node has 4 ({node.name})" in body_of(response)["detail"]
        assert not Job.objects.exists()

    def test_refuses_fields_it_does_not_know(self, client, project):
        make.ready(project)

        response = self.train(client, project, paramters={"epochs": 1})

        assert response.status_code == 400
        assert [e["field"] for e in body_of(response)["errors"]] == ["paramters"]

    @pytest.mark.parametrize("body", [{}, {"kind": "import"}, {"kind": "train"}, []])
    def test_refuses_what_is_no_job(self, client, project, body):
        assert client.post(url(project), body, format="json").status_code == 400

    def test_makes_one_job_of_one_key(self, client, project):
        make.ready(project)
        client.credentials(**client._credentials, HTTP_IDEMPOTENCY_KEY="once")

        first, second = self.train(client, project), self.train(client, project)

        assert body_of(first)["id"] == body_of(second)["id"]
        assert Job.objects.count() == 1

    def test_needs_a_member(self, project):
        viewer = signed_in(people.member(project, role=Role.VIEWER))

        assert self.train(viewer, project).status_code == 403

    def test_is_not_there_for_a_stranger(self, project):
        assert self.train(signed_in(people.user()), project).status_code == 404


class TestList:
    def test_gives_the_newest_first_and_filters(self, client, project):
        version = make.ready(project)
        train, script = make.train(project, name="net"), make.script(project, name="clean")
        make.script(make.project())

        def ids(**query) -> list[str]:
            return [job["id"] for job in body_of(client.get(url(project), query))["results"]]

        assert ids() == [str(script.id), str(train.id)]
        assert ids(kind="train") == [str(train.id)]
        assert ids(search="CLE") == [str(script.id)]
        assert ids(state="running") == []
        assert ids(dataset_version=version.id) == [str(train.id)]

    def test_asks_as_much_for_many_as_for_one(self, client, project, django_assert_max_num_queries):
        make.ready(project)
        for _ in range(5):
            make.train(project)

        with django_assert_max_num_queries(14):
            client.get(url(project))


class TestRetrieve:
    def test_shows_where_it_runs_and_what_it_made(self, client, project):
        make.ready(project)
        node = hosts.node()
        job = make.train(project)
        agent = Agent(node).run()
        settled(job)
        shown = body_of(client.get(url(project, job.id)))
        assert (shown["state"], shown["run"]["state"]) == ("running", "running")
        assert shown["run"]["node"] == {"id": str(node.id), "name": node.name}
        assert shown["run"]["workload"] == str(agent.order.workload_id)

        agent.succeed(TRAINED)
        settled(job)

        shown = body_of(client.get(url(project, job.id)))
        assert (shown["state"], shown["reason"], shown["waiting"]) == ("succeeded", None, None)
        assert shown["model_version"]["number"] == 1

    def test_is_not_there_in_another_project(self, client, project):
        job = make.script(make.project())

        assert client.get(url(project, job.id)).status_code == 404


class TestStop:
    def test_cancels_a_waiting_job_and_says_who_did(self, client, project):
        job = make.script(project)

        shown = body_of(client.post(url(project, job.id, "stop")))

        assert shown["state"] == "cancelled"
        assert shown["reason"]["text"].startswith("Stopped by user-")

    def test_is_refused_twice(self, client, project):
        job = make.script(project)
        client.post(url(project, job.id, "stop"))

        response = client.post(url(project, job.id, "stop"))

        assert (response.status_code, body_of(response)["code"]) == (409, "job_already_over")


class TestRuns:
    def test_lists_every_try(self, client, project):
        job = make.script(project, max_retries=1)
        Agent(hosts.node()).run().fail(cause=Cause.ENVIRONMENT)
        settled(job)

        runs = body_of(client.get(url(project, job.id, "runs")))["results"]

        assert [(run["number"], run["state"]) for run in runs] == [(2, "queued"), (1, "failed")]


class TestOutputs:
    def test_gives_each_file_an_address(self, client, project):
        job = make.script(project)
        Agent(hosts.node()).run().succeed({"a/b.txt": b"hello"})
        settled(job)

        (file,) = body_of(client.get(url(project, job.id, "outputs")))["results"]

        assert (file["path"], file["size"]) == ("a/b.txt", 5)
        assert file["url"].startswith("/transfer/")


class TestLog:
    def written(self, project, data: bytes, *, over: bool = False):
        job = make.script(project)
        agent = Agent(hosts.node()).run()
        agent.write_log(data)
        if over:
            agent.tell(S.FINISHING, log_bytes=len(data)).tell(S.SUCCEEDED)
            settled(job)
        return job

    def test_gives_pieces_cut_between_characters(self, client, project):
        job = self.written(project, "héllo 训练\n".encode(), over=True)
        offset, text, pieces = 0, "", 0

        while True:
            piece = body_of(client.get(url(project, job.id, "log"), {"offset": offset, "limit": 5}))
            text, offset, pieces = text + piece["text"], piece["next_offset"], pieces + 1
            if piece["complete"]:
                break

        assert text == "héllo 训练\n"
        assert pieces > 2

    def test_is_not_complete_while_the_job_runs(self, client, project):
        job = self.written(project, b"step 1\n")

        piece = body_of(client.get(url(project, job.id, "log")))

        assert (piece["text"], piece["complete"], piece["next_offset"]) == ("step 1\n", False, 7)

    def test_begins_at_a_time_when_asked_to(self, client, project):
        job = self.written(project, b"step 1\n")

        (offset, written_at), *_ = body_of(client.get(url(project, job.id, "log")))["times"]
        after = datetime.fromtimestamp(written_at + 1, UTC).isoformat()
        piece = body_of(client.get(url(project, job.id, "log"), {"since": after}))

        assert offset == 0
        assert (piece["offset"], piece["text"]) == (7, "")

    def test_is_there_as_it_was_written(self, client, project):
        job = self.written(project, b"raw \xff bytes\n")

        response = client.get(url(project, job.id, "log", "raw"), HTTP_ACCEPT="text/plain")

        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert b"".join(response.streaming_content) == b"raw \xff bytes\n"

    def test_is_a_problem_document_where_there_is_none(self, client, project):
        response = client.get(url(project, make.project().id, "log", "raw"))

        assert (response.status_code, body_of(response)["code"]) == (404, "not_found")

    def test_is_not_there_for_a_run_that_is_not(self, client, project):
        job = make.script(project)

        assert client.get(url(project, job.id, "log"), {"run": 7}).status_code == 404


class TestMetrics:
    def test_gives_series_by_name(self, client, project):
        job = make.script(project)
        agent = Agent(hosts.node()).run()
        agent.write_points(("loss", 1, 0.5), ("loss", 2, float("nan")), ("accuracy", 2, 0.9))

        shown = body_of(client.get(url(project, job.id, "metrics"), {"name": "loss"}))

        (series,) = shown["series"]
        assert series["name"] == "loss"
        assert [(step, value) for step, value, _ in series["points"]] == [(1, 0.5), (2, "NaN")]


class TestRecipes:
    def test_are_listed_with_their_forms(self, client):
        recipes = body_of(client.get("/api/v1/recipes"))["results"]

        (recipe,) = [r for r in recipes if r["name"] == "image_classification"]
        assert recipe["title"]["zh-CN"] == "图像分类"
        assert recipe["parameters"][0]["name"] == "epochs"
        assert recipe["resources"]["cpu_millis"] == 1000

    def test_are_not_for_strangers(self):
        assert APIClient().get("/api/v1/recipes").status_code == 401
