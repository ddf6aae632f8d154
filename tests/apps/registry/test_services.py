from uuid import uuid4

import pytest

from agents.protocol.results import EvaluationResult, Signature, Tensor
from agents.protocol.specs import FileRef
from apps.artifacts import filesets
from apps.audit.models import Entry
from apps.common.errors import DomainError
from apps.registry import services
from apps.registry.models import Evaluation, Model, ModelVersion
from tests import make
from tests.make import NOON

pytestmark = pytest.mark.django_db


def signature(**more):
    tensor = Tensor(name="image", dtype="float32", shape=[None, 1, 28, 28])
    wanted = {
        "task": "image_classification",
        "inputs": [tensor],
        "outputs": [tensor],
        "weights": "model/weights.safetensors",
    }
    return Signature(**{**wanted, **more})


def outputs(project, *paths):
    files = []
    for path in paths or ("model/weights.safetensors", "signature.json"):
        artifact = make.artifact(project, path.encode())
        files.append(FileRef(path=path, digest=artifact.digest, size=artifact.size))
    return files


def register(project, *, run_id=None, name="digits-cnn", files=None, **more):
    return services.register_version(
        project=project,
        model_name=name,
        run_id=run_id or uuid4(),
        files=files or outputs(project),
        signature=signature(**more),
        actor=make.user().actor,
        at=NOON,
    )


class TestRegisterVersion:
    def test_makes_the_next_version_and_says_so(self, monkeypatch):
        published: list[object] = []
        monkeypatch.setattr(services, "publish", published.append)
        project = make.project()

        first, second = register(project), register(project)

        assert (first.number, second.number, first.model) == (1, 2, second.model)
        assert first.signature["inputs"][0]["shape"] == [None, 1, 28, 28]
        assert first.size == sum(file.size for file in outputs(project))
        assert [event.version_id for event in published] == [first.id, second.id]
        assert published[0].topics == [f"project.{project.id}"]
        assert Entry.objects.filter(action="model.register", project_id=project.id).count() == 2

    def test_a_run_makes_one_version_however_often_it_is_reported(self):
        project, run_id = make.project(), uuid4()

        assert register(project, run_id=run_id) == register(project, run_id=run_id)
        assert ModelVersion.objects.count() == 1

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"task": ""}, "signature_incomplete"),
            ({"inputs": []}, "signature_incomplete"),
            ({"outputs": []}, "signature_incomplete"),
            ({"weights": ""}, "signature_incomplete"),
            ({"weights": "elsewhere.safetensors"}, "weights_missing"),
            ({"weights": "../weights.safetensors"}, "weights_missing"),
            ({"weights": "signature.json"}, "weights_not_safetensors"),
        ],
    )
    def test_refuses_a_signature_that_does_not_hold(self, wrong, why):
        with pytest.raises(DomainError) as refused:
            register(make.project(), **wrong)
        assert refused.value.code == why
        assert not Model.objects.exists()

    def test_refuses_bytes_of_another_project(self):
        with pytest.raises(filesets.ArtifactUnknown):
            register(make.project(), files=outputs(make.project()))

    def test_refuses_a_bad_name(self):
        with pytest.raises(DomainError) as refused:
            register(make.project(), name="../x")
        assert refused.value.code == "name_refused"


class TestRecordEvaluation:
    def test_keeps_what_was_measured_once(self):
        version = register(make.project())
        told = {"version": version, "run_id": version.run_id, "dataset_version_id": uuid4()}
        result = EvaluationResult(
            split="test",
            metrics={"accuracy": 0.98, "loss": float("nan")},
            samples=2000,
            confusion=[[1, 0], [0, 1]],
            labels=["a", "b\0"],
        )

        first = services.record_evaluation(**told, result=result, at=NOON)
        again = services.record_evaluation(**told, result=result, at=NOON)

        assert first == again
        kept = Evaluation.objects.get()
        assert kept.metrics == {"accuracy": 0.98, "loss": None}
        assert kept.detail["confusion"] == [[1, 0], [0, 1]]
        assert kept.detail["labels"] == ["a", "b\ufffd"]
        assert Entry.objects.filter(action="model.evaluate").count() == 1
