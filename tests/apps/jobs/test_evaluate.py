"""A model version measured on a dataset version, from the form to the pictures."""

import pytest

from agents.protocol.specs import EvaluateSpec
from agents.protocol.workloads import WorkloadState
from apps.common.errors import InputRefused
from apps.jobs import selectors, services, specs
from apps.jobs.models import JobKind, JobState
from apps.registry.models import Evaluation, ModelVersion
from tests.apps.jobs import make
from tests.apps.jobs.agent import Agent
from tests.apps.jobs.test_road import EVALUATION, SIGNATURE, settled
from tests.apps.workloads import make as hosts
from tests.apps.workloads.make import NOON

pytestmark = pytest.mark.django_db

S = WorkloadState
OF_RECIPE = SIGNATURE | {"recipe": "image_classification"}
EXAMPLE = {"path": "examples/000.png", "truth": "3", "predicted": "5", "score": 0.6}
MEASURED = {
    "evaluation.json": EVALUATION | {"labels": ["3", "5"], "examples": [EXAMPLE]},
    "examples/000.png": b"picture",
}


@pytest.fixture
def project():
    return make.project()


@pytest.fixture
def agent() -> Agent:
    return Agent(hosts.node())


def trained(project, agent: Agent, **signature) -> ModelVersion:
    """A version that the recipe made."""
    make.ready(project)
    job = make.train(project, config={"model": "net"})
    agent.run().succeed({"model.safetensors": b"w", "signature.json": OF_RECIPE | signature})
    settled(job)
    return ModelVersion.objects.order_by("-id")[0]


def refusals(project, **given) -> list[tuple[str, str]]:
    with pytest.raises(InputRefused) as refused:
        specs.read_config(project, JobKind.EVALUATE, given)
    return [(one.field, one.code) for one in refused.value.refusals]


class TestEvaluation:
    def test_goes_from_submission_to_pictures(self, project, agent):
        version = trained(project, agent)
        data = make.ready(project, name="fresh", body=b"other zip")

        job = make.evaluate(project, config={"model": "net", "dataset": "fresh@1"})
        assert job.name == "evaluate net@1 on fresh@1"
        assert (job.config["model_version"], job.config["version"]) == (
            str(version.id),
            str(data.id),
        )
        agent.run()
        assert agent.spec.payload == EvaluateSpec(split="")
        assert [(i.name, i.unpack, [f.path for f in i.files]) for i in agent.spec.inputs] == [
            ("model", False, ["model.safetensors", "signature.json"]),
            ("data", True, ["digits.zip"]),
        ]
        agent.succeed(MEASURED)

        job = settled(job)
        assert job.state == JobState.SUCCEEDED
        evaluation = Evaluation.objects.get()
        assert evaluation.version == version
        assert (evaluation.dataset_version_id, evaluation.dataset) == (data.id, "fresh@1")
        assert evaluation.detail["examples"] == [EXAMPLE]
        assert [picture["path"] for picture in evaluation.pictures] == ["examples/000.png"]
        assert ModelVersion.objects.count() == 1

    def test_is_remembered_as_a_reader_of_both(self, project, agent):
        trained(project, agent)
        job = make.evaluate(project)

        inputs = selectors.view(job).inputs

        assert [(i.name, i.kind, i.dataset, i.model, i.number) for i in inputs] == [
            ("data", "dataset", "digits", None, 1),
            ("model", "model", None, "net", 1),
        ]

    def test_again_is_another_row(self, project, agent):
        trained(project, agent)
        for _ in range(2):
            job = make.evaluate(project)
            agent.run().succeed(MEASURED)
            assert settled(job).state == JobState.SUCCEEDED

        assert Evaluation.objects.count() == 2

    def test_settled_again_is_the_same_row(self, project, agent):
        trained(project, agent)
        job = make.evaluate(project)
        agent.run().succeed(MEASURED)
        settled(job)

        services.settle_run(run_id=job.runs.get().id, at=NOON)

        assert Evaluation.objects.count() == 1

    def test_reads_the_same_when_it_is_tried_again(self, project, agent):
        trained(project, agent)
        job = make.evaluate(project)
        agent.run().tell(S.STOPPED)
        settled(job)

        first, second = (selectors.inputs_of(run) for run in job.runs.order_by("number"))

        assert first == second

    @pytest.mark.parametrize(
        ("left", "code"),
        [
            ({}, "result_missing"),
            ({"evaluation.json": MEASURED["evaluation.json"]}, "result_missing"),
            ({"evaluation.json": b"{"}, "result_unreadable"),
        ],
    )
    def test_fails_without_what_it_promised(self, project, agent, left, code):
        trained(project, agent)
        job = make.evaluate(project)
        agent.run().succeed(left)

        assert settled(job).state == JobState.FAILED
        assert job.runs.get().reason["code"] == code
        assert not Evaluation.objects.exists()


class TestRefusals:
    def test_of_what_is_not_there(self, project):
        assert refusals(project, model="net", dataset="digits") == [
            ("model", "model_unknown"),
            ("dataset", "dataset_unknown"),
        ]

    def test_of_a_number_that_no_version_has(self, project, agent):
        trained(project, agent)

        assert refusals(project, model="net@2", dataset="digits") == [
            ("model", "model_version_unknown")
        ]

    @pytest.mark.parametrize("recipe", ["", "alchemy"])
    def test_of_a_model_that_no_recipe_can_load(self, project, agent, recipe):
        trained(project, agent, recipe=recipe)

        assert refusals(project, model="net", dataset="digits") == [
            ("model", "version_not_evaluable")
        ]

    def test_of_data_that_the_recipe_does_not_take(self, project, agent):
        trained(project, agent)
        make.ready(project, name="prices", kind="table", body=b"csv")

        assert refusals(project, model="net", dataset="prices") == [
            ("dataset", "dataset_kind_not_accepted")
        ]

    def test_of_a_split_that_the_data_has_not(self, project, agent):
        trained(project, agent)

        assert refusals(project, model="net", dataset="digits", split="holdout") == [
            ("split", "split_unknown")
        ]

    def test_of_another_projects_model(self, project, agent):
        version = trained(make.project(), agent)
        make.ready(project)

        assert refusals(project, model=str(version.id), dataset="digits") == [
            ("model", "model_unknown")
        ]
