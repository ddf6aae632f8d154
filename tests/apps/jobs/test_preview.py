"""What a job would be, before anybody submits it."""

import json
import shlex

import pytest
import yaml

from apps.fleet.models import Contact
from apps.jobs.models import Job
from apps.workloads.models import Gang
from tests import make as people
from tests.apps.jobs import make
from tests.apps.jobs.test_api import body_of, signed_in, url
from tests.apps.workloads import make as hosts
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

TRAIN = {"kind": "train", "recipe": "image_classification", "dataset": "digits"}


@pytest.fixture
def project():
    return make.project("tests")


@pytest.fixture
def client(project):
    return signed_in(people.member(project))


def ask(client, project, **fields):
    return client.post(url(project, "preview"), TRAIN | fields, format="json")


class TestPreview:
    def test_says_what_it_would_be_and_writes_nothing(self, client, project):
        make.ready(project)
        hosts.node(name="one")

        shown = body_of(ask(client, project, parameters={"epochs": 2}))

        assert (shown["name"], shown["kind"]) == ("image_classification digits@1", "train")
        assert shown["config"]["parameters"]["epochs"] == 2
        assert shown["config"]["parameters"]["batch_size"] == 32
        assert shown["resources"]["cpu_millis"] == 1000
        assert not Job.objects.exists()
        assert not Gang.objects.exists()

    def test_says_how_else_to_ask(self, client, project):
        make.ready(project)

        shown = body_of(ask(client, project, name="it's 数字", parameters={"epochs": 2}))

        asked = TRAIN | {"name": "it's 数字", "parameters": {"epochs": 2}}
        assert yaml.safe_load(shown["yaml"]) == asked
        assert next(iter(yaml.safe_load(shown["yaml"]))) == "kind"
        assert shown["cli"] == "datahall jobs submit -f job.yaml --project tests"
        words = shlex.split(shown["curl"])
        assert words[:3] == ["curl", "-X", "POST"]
        assert words[3].endswith("/api/v1/projects/tests/jobs")
        assert json.loads(words[words.index("-d") + 1]) == asked

    def test_names_every_field_at_fault(self, client, project):
        response = ask(client, project, parameters={"epochs": 0})

        assert response.status_code == 422
        assert {(e["field"], e["code"]) for e in body_of(response)["errors"]} == {
            ("dataset", "dataset_unknown"),
            ("parameters.epochs", "parameter_too_small"),
        }

    def test_refuses_fields_it_does_not_know(self, client, project):
        assert ask(client, project, colour="red").status_code == 400

    def test_needs_a_member(self, project):
        viewer = signed_in(people.member(project, role=people.Role.VIEWER))

        assert ask(viewer, project).status_code == 403


class TestFits:
    def test_is_told_node_by_node(self, client, project):
        make.ready(project)
        hosts.node(name="big", cpus=8)
        hosts.node(name="cordoned", cordoned_at=NOON)
        hosts.node(name="silent", contact=Contact.SUSPECT)
        hosts.node(name="small", cpus=2)

        shown = body_of(ask(client, project, resources={"cpu_millis": 4000}))["fits"]

        assert (shown["fits_now"], shown["ever"], shown["reason"]) == (True, True, None)
        assert [
            (n["node"]["name"], n["fits"], n["reason"] and n["reason"]["code"])
            for n in shown["nodes"]
        ] == [
            ("big", True, None),
            ("cordoned", False, "node_cordoned"),
            ("silent", False, "node_unreachable"),
            ("small", False, "exceeds_cpus"),
        ]
        assert shown["largest"]["cpu_millis"] == 8000

    def test_counts_what_is_taken(self, client, project):
        make.ready(project)
        hosts.node(name="one", cpus=4, reserved_cpu_millis=3000)

        shown = body_of(ask(client, project, resources={"cpu_millis": 2000}))["fits"]

        assert (shown["fits_now"], shown["ever"]) == (False, True)
        assert shown["reason"]["code"] == "waits_for_cpus"
        assert shown["nodes"][0]["reason"]["text"].startswith("Needs 2 CPUs; the most free")
        assert shown["largest"]["cpu_millis"] == 1000

    def test_lets_those_who_wait_go_first(self, client, project):
        make.ready(project)
        hosts.node(name="one", cpus=4)
        make.script(project, config={"resources": {"cpu_millis": 4000}})

        shown = body_of(ask(client, project))["fits"]

        assert shown["nodes"][0]["fits"] is True
        assert shown["fits_now"] is False

    def test_says_what_no_node_could_hold(self, client, project):
        make.ready(project)
        hosts.node(name="one", gpus=2)

        shown = body_of(ask(client, project, resources={"device_count": 3}))["fits"]

        assert (shown["fits_now"], shown["ever"]) == (False, False)
        assert shown["reason"]["code"] == "exceeds_gpus"
        assert shown["largest"]["device_count"] == 2

    def test_takes_everything_while_there_is_no_node(self, client, project):
        make.ready(project)

        shown = body_of(ask(client, project))["fits"]

        assert (shown["fits_now"], shown["ever"], shown["nodes"]) == (False, True, [])
        assert (shown["reason"]["code"], shown["largest"]) == ("no_nodes", None)
