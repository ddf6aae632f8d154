from uuid import uuid4

import httpx
import pytest
from django.test import Client

from agents.protocol.results import EvaluationResult
from apps.registry import services
from tests import make
from tests.apps.artifacts.server import serving
from tests.apps.registry.test_services import register
from tests.make import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def api(project):
    member = make.user()
    make.member(project, member)
    return Client(headers=make.bearer(member))


class TestModels:
    def test_a_model_shows_its_versions_files_and_evaluations(self, api, project):
        version = register(project)
        register(project)
        dataset_version_id = uuid4()
        services.record_evaluation(
            version=version,
            run_id=version.run_id,
            dataset_version_id=dataset_version_id,
            result=EvaluationResult(split="test", metrics={"accuracy": 0.98}, samples=2000),
            at=NOON,
        )
        base = f"/api/v1/projects/{project.slug}/models"

        model = api.get(f"{base}/digits-cnn").json()

        assert model == api.get(f"{base}/{model['id']}").json()
        assert [row["number"] for row in model["versions"]] == [2, 1]
        first = model["versions"][1]
        assert first["run_id"] == str(version.run_id)
        assert first["signature"]["weights"] == "model/weights.safetensors"
        [evaluation] = first["evaluations"]
        assert (evaluation["split"], evaluation["samples"]) == ("test", 2000)
        assert evaluation["metrics"] == {"accuracy": 0.98}
        assert evaluation["dataset_version"] == str(dataset_version_id)
        with serving() as url:
            answer = httpx.get(url + first["files"][0]["url"])
        assert answer.content == b"model/weights.safetensors"
        assert 'filename="weights.safetensors"' in answer.headers["content-disposition"]

    def test_the_list_holds_each_with_its_latest_version(self, api, project):
        register(project)
        register(project)

        [row] = api.get(f"/api/v1/projects/{project.slug}/models").json()["results"]

        assert (row["name"], row["latest"]["number"]) == ("digits-cnn", 2)

    def test_a_model_of_another_project_is_not_there(self, api, project):
        theirs = register(make.project()).model

        for ref in (theirs.name, theirs.id):
            answer = api.get(f"/api/v1/projects/{project.slug}/models/{ref}")
            assert (answer.status_code, answer.json()["code"]) == (404, "model_unknown")
