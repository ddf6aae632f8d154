import json
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from agents.protocol.workloads import Cause
from apps.accounts import credentials
from apps.fleet.models import Outbox
from apps.live import topics
from apps.projects.models import Role
from apps.serving.models import Endpoint, Key, Replica
from apps.workloads.models import Workload
from tests import make as people
from tests.apps.jobs import make as jobs
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_road import EVALUATION, SIGNATURE, settled
from tests.apps.serving import make
from tests.apps.serving.make import Hall

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def client(project) -> APIClient:
    return signed_in(people.member(project))


def signed_in(user) -> APIClient:
    return with_bearer(people.bearer(user))


def with_bearer(bearer: dict[str, str]) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=bearer["Authorization"])
    return client


def url(project, *more) -> str:
    return "/".join([f"/api/v1/projects/{project.slug}/endpoints", *map(str, more)])


def body_of(response) -> dict:
    return json.loads(response.content)


def errors_of(response) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in body_of(response)["errors"]]


@pytest.fixture
def endpoint(project, hall) -> Endpoint:
    """One that serves version 1; version 2 is there."""
    make.version(project)
    row = make.endpoint(project, user=people.user("ada"))
    make.version(project)
    hall.bring_up()
    return row


class TestCreate:
    def post(self, client, project, **fields):
        return client.post(url(project), {"name": "digits", "model": "digits"} | fields)

    def test_gives_an_address(self, client, project, hall):
        version = make.version(project)

        response = self.post(client, project, replicas=2)

        shown = body_of(response)
        assert response.status_code == 201
        assert shown["url"] == f"{settings.GATEWAY_URL}/v1/endpoints/{shown['id']}/predict"
        assert (shown["state"], shown["replicas_wanted"], shown["replicas_ready"]) == (
            "starting",
            2,
            0,
        )
        assert shown["reason"]["text"] == "The scheduler has not looked at it yet."
        assert shown["deployment"]["version"] == {
            "id": str(version.id),
            "model": "digits",
            "number": 1,
        }
        assert shown["deployment"]["resources"]["cpu_millis"] == 500
        assert shown["signature"]["labels"] == list("0123456789")
        assert (shown["max_queue"], shown["timeout_seconds"], shown["previous"]) == (1024, 30, None)
        assert shown["created_by"].startswith("user-")

    def test_takes_a_numbered_version_and_limits(self, client, project, hall):
        make.version(project)
        make.version(project)

        shown = body_of(
            self.post(client, project, model="digits@1", max_batch=8, max_queue=5, replicas=0)
        )

        assert shown["deployment"]["version"]["number"] == 1
        assert (shown["deployment"]["max_batch"], shown["max_queue"]) == (8, 5)
        assert shown["state"] == "stopped"

    @pytest.mark.parametrize(
        ("fields", "status", "error"),
        [
            ({"name": "a/b"}, 422, ("name", "name_refused")),
            ({"model": "none"}, 422, ("model", "model_unknown")),
            ({"model": "digits@2"}, 422, ("model", "model_version_unknown")),
            ({"model": "plain"}, 422, ("model", "version_not_servable")),
            ({"resources": {"device_count": 3}}, 422, ("resources", "exceeds_gpus")),
            ({"replicas": 65}, 400, ("replicas", "max_value")),
            ({"replica": 1}, 400, ("replica", "unknown_field")),
            ({"timeout_seconds": 0}, 400, ("timeout_seconds", "min_value")),
            ({"timeout_seconds": "nan"}, 400, ("timeout_seconds", "invalid")),
        ],
    )
    def test_refuses_naming_the_field(self, client, project, hall, fields, status, error):
        make.version(project)
        make.version(project, name="plain", recipe="")

        response = self.post(client, project, **fields)

        assert (response.status_code, errors_of(response)) == (status, [error])

    def test_says_the_largest_that_fits(self, client, project, hall):
        make.version(project)

        response = self.post(client, project, resources={"cpu_millis": 64_000})

        (error,) = body_of(response)["errors"]
        assert f"the largest node has 8 ({hall.node.name})" in error["detail"]

    def test_says_it_in_the_readers_language(self, client, project, hall):
        make.version(project, name="plain", recipe="")

        response = client.post(
            url(project), {"name": "x", "model": "plain"}, HTTP_ACCEPT_LANGUAGE="zh-CN"
        )

        assert "不是由支持推理服务的配方产生的" in body_of(response)["errors"][0]["detail"]

    def test_refuses_a_name_that_is_taken(self, client, project, endpoint):
        assert errors_of(self.post(client, project)) == [("name", "endpoint_name_taken")]

    def test_makes_one_endpoint_of_one_key(self, client, project, hall):
        make.version(project)
        client.credentials(**client._credentials, HTTP_IDEMPOTENCY_KEY="once")

        first, second = self.post(client, project), self.post(client, project)

        assert body_of(first)["id"] == body_of(second)["id"]

    def test_needs_a_member(self, project, endpoint):
        viewer = signed_in(people.member(project, role=Role.VIEWER))

        assert self.post(viewer, project, name="other").status_code == 403


class TestRead:
    def test_by_name_and_by_id(self, client, project, endpoint):
        by_name = body_of(client.get(url(project, "digits")))

        assert by_name == body_of(client.get(url(project, endpoint.id)))
        assert (by_name["state"], by_name["replicas_ready"], by_name["created_by"]) == (
            "ready",
            1,
            "ada",
        )

    def test_lists_the_newest_first_in_pages(self, client, project, endpoint):
        newer = make.endpoint(project, name="newer")

        first = body_of(client.get(url(project), {"limit": 1}))
        second = body_of(client.get(url(project), {"limit": 1, "cursor": first["next"]}))

        assert [e["id"] for e in first["results"]] == [str(newer.id)]
        assert [e["id"] for e in second["results"]] == [str(endpoint.id)]

    def test_asks_as_much_for_many_as_for_one(
        self, client, project, endpoint, django_assert_max_num_queries
    ):
        for number in range(5):
            make.endpoint(project, name=f"e{number}")

        with django_assert_max_num_queries(12):
            client.get(url(project))

    @pytest.mark.parametrize(
        "path", ["", "deployments", "replicas", "keys", f"replicas/{UUID(int=7)}/log"]
    )
    def test_is_not_there_for_strangers_nor_in_another_project(
        self, client, project, endpoint, path
    ):
        other = make.project()
        own = signed_in(people.member(other))
        suffix = [path] if path else []

        assert own.get(url(project, "digits", *suffix)).status_code == 404
        assert own.get(url(other, endpoint.id, *suffix)).status_code == 404
        assert body_of(own.get(url(other, "nope")))["code"] == "endpoint_unknown"


class TestChange:
    def test_deploys(self, client, project, endpoint):
        shown = body_of(client.post(url(project, "digits", "deploy"), {"model": "digits@2"}))

        assert (shown["state"], shown["deployment"]["number"]) == ("updating", 2)
        assert shown["previous"]["version"]["number"] == 1

    def test_refuses_to_deploy_what_is_not_there(self, client, project, endpoint):
        response = client.post(url(project, "digits", "deploy"), {"model": "digits@9"})

        assert (response.status_code, errors_of(response)) == (
            422,
            [("model", "model_version_unknown")],
        )

    def test_rolls_back(self, client, project, endpoint):
        client.post(url(project, "digits", "deploy"), {"model": "digits@2"})

        shown = body_of(client.post(url(project, "digits", "rollback"), {}))

        assert (shown["deployment"]["number"], shown["deployment"]["version"]["number"]) == (3, 1)

    def test_refuses_to_roll_back_to_nothing(self, client, project, endpoint):
        response = client.post(url(project, "digits", "rollback"), {})
        assert (response.status_code, body_of(response)["code"]) == (409, "nothing_to_return_to")

        response = client.post(url(project, "digits", "rollback"), {"deployment": 5})
        assert errors_of(response) == [("deployment", "deployment_unknown")]

    def test_scales(self, client, project, endpoint):
        shown = body_of(client.post(url(project, "digits", "scale"), {"replicas": 3}))
        assert shown["replicas_wanted"] == 3

        response = client.post(url(project, "digits", "scale"), {"replicas": -1})
        assert errors_of(response) == [("replicas", "min_value")]

    def test_is_found_by_name(self, client, project, endpoint):
        found = body_of(client.get(f"/api/v1/projects/{project.slug}/search", {"q": "igi"}))

        endpoints = [one for one in found["results"] if one["type"] == "endpoint"]
        assert [(one["id"], one["name"]) for one in endpoints] == [(str(endpoint.id), "digits")]

    def test_changes_limits(self, client, project, endpoint):
        shown = body_of(client.patch(url(project, "digits"), {"timeout_seconds": 2.5}))
        assert (shown["timeout_seconds"], shown["max_queue"]) == (2.5, 1024)

        response = client.patch(url(project, "digits"), {"name": "other"})
        assert errors_of(response) == [("name", "unknown_field")]

    def test_deletes_as_a_maintainer_only(self, client, project, endpoint):
        assert body_of(client.delete(url(project, "digits")))["code"] == "role_needed"

        maintainer = signed_in(people.member(project, role=Role.MAINTAINER))
        assert maintainer.delete(url(project, "digits")).status_code == 204
        assert client.get(url(project, "digits")).status_code == 404

    @pytest.mark.parametrize("verb", ["deploy", "rollback", "scale"])
    def test_needs_a_member(self, project, endpoint, verb):
        viewer = signed_in(people.member(project, role=Role.VIEWER))

        assert viewer.post(url(project, "digits", verb), {}).status_code == 403


class TestDeployments:
    def test_are_listed_with_why_they_were_given_up(self, client, project, endpoint, hall):
        client.post(url(project, "digits", "deploy"), {"model": "digits@2"})
        newest = Replica.objects.get(number=2)
        hall.at = timezone.now()  # the API's clock is the real one
        hall.start(serving=False).fail(newest, cause=Cause.USER_CODE, code="ended_without_reason")
        hall.passes(2).reconcile()

        newer, older = body_of(client.get(url(project, "digits", "deployments")))["results"]

        assert (newer["number"], older["number"]) == (2, 1)
        assert newer["given_up_at"]
        assert newer["reason"]["text"].startswith("It ended badly")
        assert older["given_up_at"] is None


class TestReplicas:
    def test_are_listed_with_where_they_run_those_that_live_first(
        self, client, project, endpoint, hall
    ):
        hall.fail(Replica.objects.get(), cause=Cause.HARDWARE, code="ended_without_reason")
        hall.passes(2).reconcile().start()
        first = body_of(client.get(url(project, "digits", "replicas"), {"limit": 1}))
        second = body_of(
            client.get(url(project, "digits", "replicas"), {"limit": 1, "cursor": first["next"]})
        )

        (living,), (gone,) = first["results"], second["results"]
        assert (living["number"], living["state"], living["deployment"]) == (2, "starting", 1)
        assert living["node"] == {"id": str(hall.node.id), "name": hall.node.name}
        assert living["reason"]["code"] == "replica_warms_up"
        assert living["started_at"]
        assert (gone["number"], gone["state"]) == (1, "ended")
        assert gone["reason"]["text"].startswith("It ended badly")
        assert gone["ready_at"]
        assert gone["ended_at"]
        assert second["next"] is None

    def test_have_a_log(self, client, project, endpoint, hall):
        replica = Replica.objects.get()
        agent = Agent(hall.node, hall.at)
        agent.order = Outbox(workload_id=Workload.objects.get().id, fence=1)
        agent.write_log("warm 就绪\n".encode())

        piece = body_of(client.get(url(project, "digits", "replicas", replica.id, "log")))

        assert (piece["text"], piece["complete"]) == ("warm 就绪\n", False)

    def test_of_another_endpoint_have_none_here(self, client, project, endpoint):
        make.endpoint(project, name="other", replicas=0)
        replica = Replica.objects.get()

        response = client.get(url(project, "other", "replicas", replica.id, "log"))

        assert response.status_code == 404


class TestKeys:
    def make(self, client, project, **fields):
        return client.post(url(project, "digits", "keys"), {"name": "shop"} | fields)

    def test_are_shown_once(self, client, project, endpoint):
        response = self.make(client, project, requests_per_minute=100)

        made = body_of(response)
        assert response.status_code == 201
        assert made["key"].startswith(f"{made['prefix']}")
        found = credentials.parse(made["key"], credentials.KEY_PREFIX)
        key = Key.objects.get()
        assert (found.token_id, key.requests_per_minute) == (key.id, 100)
        assert credentials.matches(found.secret, key.secret_sha256)
        (listed,) = body_of(client.get(url(project, "digits", "keys")))["results"]
        assert "key" not in listed
        assert (listed["name"], listed["revoked_at"], listed["last_used_at"]) == (
            "shop",
            None,
            None,
        )

    @pytest.mark.parametrize("days", [0, 366])
    def test_last_a_year_at_most(self, client, project, endpoint, days):
        response = self.make(client, project, expires_in_days=days)

        assert response.status_code == 400
        assert errors_of(response)[0][0] == "expires_in_days"

    def test_are_revoked(self, client, project, endpoint):
        id = body_of(self.make(client, project))["id"]

        assert client.delete(url(project, "digits", "keys", id)).status_code == 204

        (listed,) = body_of(client.get(url(project, "digits", "keys")))["results"]
        assert listed["revoked_at"]

    def test_that_are_none_are_not_there(self, client, project, endpoint):
        assert client.delete(url(project, "digits", "keys", uuid4())).status_code == 404

    def test_are_not_for_runs_to_make(self, project, endpoint):
        run = with_bearer(people.run_bearer(project))

        assert body_of(self.make(run, project))["code"] == "person_needed"

    def test_open_nothing_of_the_api(self, client, project, endpoint):
        key = body_of(self.make(client, project))["key"]

        response = with_bearer({"Authorization": f"Bearer {key}"}).get(url(project))

        assert (response.status_code, body_of(response)["code"]) == (401, "token_unknown")


class TestLineage:
    def test_goes_from_data_to_endpoint(self, client, project):
        data = jobs.ready(project)
        agent = Agent(make.node())
        job = jobs.train(project, config={"model": "digits"})
        agent.run().succeed(
            {
                "model.safetensors": b"weights",
                "signature.json": SIGNATURE | {"recipe": "image_classification"},
                "evaluation.json": EVALUATION,
            }
        )
        settled(job)
        row = make.endpoint(project)
        make.endpoint(make_other(project))

        graph = body_of(client.get(f"/api/v1/projects/{project.slug}/models/digits/lineage"))

        nodes = {node["id"]: node for node in graph["nodes"]}
        assert [(n["kind"], n["name"], n["number"], n["state"]) for n in graph["nodes"]] == [
            ("dataset_version", "digits", 1, "ready"),
            ("job", job.name, None, "succeeded"),
            ("model_version", "digits", 1, None),
            ("endpoint", "digits", None, "starting"),
        ]
        assert {
            (nodes[e["from"]]["kind"], nodes[e["to"]]["kind"], e["role"]) for e in graph["edges"]
        } == {
            ("dataset_version", "job", "input"),
            ("job", "model_version", "output"),
            ("dataset_version", "model_version", "evaluation"),
            ("model_version", "endpoint", "serving"),
        }
        assert {str(data.id), str(row.id)} <= set(nodes)

    def test_shows_the_older_that_still_serves(self, client, project, endpoint):
        client.post(url(project, "digits", "deploy"), {"model": "digits@2"})

        graph = body_of(client.get(f"/api/v1/projects/{project.slug}/models/digits/lineage"))

        assert len([e for e in graph["edges"] if e["role"] == "serving"]) == 2

    def test_of_another_project_is_not_there(self, project, endpoint):
        stranger = signed_in(people.user())

        response = stranger.get(f"/api/v1/projects/{project.slug}/models/digits/lineage")

        assert response.status_code == 404


def make_other(project):
    other = make.project()
    make.version(other)
    return other


class TestLive:
    def test_members_may_watch_an_endpoint(self, project, endpoint):
        topic = f"endpoint.{endpoint.id}"

        assert topics.may_watch(people.member(project), topic)
        assert not topics.may_watch(people.user(), topic)
        assert not topics.may_watch(people.member(project), f"endpoint.{uuid4()}")


class TestEvents:
    def test_tell_what_was_done_and_what_came_of_it(self, client, project, endpoint, hall):
        client.post(url(project, "digits", "scale"), {"replicas": 0})
        client.patch(url(project, "digits"), {"timeout_seconds": 5})
        hall.bring_up()

        told = body_of(client.get(url(project, "digits", "events")))["results"]

        said = [(event["what"]["text"], event["actor"] is not None) for event in told]
        assert ("Scaled from 1 to 0 replicas.", True) in said
        assert ("An answer may take 5.0 s.", True) in said
        assert ("Replica 1 was ready.", False) in said
        assert ("Made to serve digits@1 with 1 replicas.", True) in said
        assert [event["at"] for event in told] == sorted((e["at"] for e in told), reverse=True)

    def test_are_paged(self, client, project, endpoint):
        first = body_of(client.get(url(project, "digits", "events"), {"limit": 1}))

        rest = body_of(client.get(url(project, "digits", "events"), {"cursor": first["next"]}))

        assert len(first["results"]) == 1
        assert first["results"][0] not in rest["results"]
