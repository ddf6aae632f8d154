import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.agents.recipes.test_image_classification import recipe, shapes
from tests.agents.runners.conftest import Ended, picture, run_in, zipped
from tests.agents.runners.replica import leave_model

Evaluate = Callable[..., Ended]


@pytest.fixture(scope="module")
def data() -> dict[str, bytes]:
    """Ten pictures of each class to test with; one of them lies in the wrong folder."""
    files = shapes()
    files["test/left/wrong.png"] = files["train/right/50.png"]
    return files


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, environments: Path, data: dict[str, bytes]
) -> Path:
    """A model that tells left from right."""
    workspace = tmp_path_factory.mktemp("training") / "workspace"
    ended = run_in(workspace, environments, recipe(epochs=3, batch_size=10), files=data)
    assert ended.code == 0, ended.log
    return workspace / "outputs"


@pytest.fixture
def evaluate(tmp_path: Path, environments: Path) -> Evaluate:
    def run_evaluation(
        model: Path, files: dict[str, bytes], *, unpack: bool = False, **payload: Any
    ) -> Ended:
        asked = {"kind": "evaluate", **payload}
        workspace = tmp_path / "evaluation"
        return run_in(workspace, environments, asked, files=files, unpack=unpack, model=model)

    return run_evaluation


class TestEvaluate:
    def test_measures_the_test_split(
        self, model: Path, evaluate: Evaluate, data: dict[str, bytes]
    ) -> None:
        ended = evaluate(model, {"s.zip": zipped(data)}, unpack=True)

        assert ended.code == 0, ended.log
        found = ended.output("evaluation.json")
        assert (found["split"], found["samples"]) == ("test", 21)
        assert found["labels"] == ["left", "right"]
        assert found["confusion"] == [[10, 1], [0, 10]]
        assert found["metrics"]["accuracy"] == pytest.approx(20 / 21)
        assert found["metrics"]["macro_f1"] == pytest.approx(20 / 21)
        assert found["per_class"]["left"] == {"precision": 1.0, "recall": pytest.approx(10 / 11)}
        assert found["per_class"]["right"] == {"precision": pytest.approx(10 / 11), "recall": 1.0}
        assert ended.points("evaluation/accuracy") == [pytest.approx(20 / 21)]
        assert ended.points("progress") == [1.0]

    def test_keeps_pictures_to_look_at_wrong_ones_first(
        self, model: Path, evaluate: Evaluate, data: dict[str, bytes]
    ) -> None:
        ended = evaluate(model, data, max_examples=5)

        examples = ended.output("evaluation.json")["examples"]
        assert [one["path"] for one in examples] == [f"examples/{n:04}.png" for n in range(5)]
        pairs = [(one["truth"], one["predicted"]) for one in examples]
        assert pairs[0] == ("left", "right")
        assert all(truth == predicted for truth, predicted in pairs[1:])
        scores = [one["score"] for one in examples[1:]]
        assert scores == sorted(scores)
        with Image.open(ended.workspace / "outputs" / examples[0]["path"]) as kept:
            assert (kept.format, kept.size) == ("PNG", (28, 28))

    def test_agrees_with_what_training_measured(
        self, model: Path, evaluate: Evaluate, data: dict[str, bytes]
    ) -> None:
        ended = evaluate(model, data)

        trained = json.loads((model / "evaluation.json").read_text())
        found = ended.output("evaluation.json")
        assert found["confusion"] == trained["confusion"]
        assert found["metrics"]["loss"] == pytest.approx(trained["metrics"]["loss"], rel=1e-4)

    def test_a_named_split(self, model: Path, evaluate: Evaluate, data: dict[str, bytes]) -> None:
        ended = evaluate(model, data, split="train", max_examples=0)

        found = ended.output("evaluation.json")
        assert (found["split"], found["samples"]) == ("train", 100)
        assert found.get("examples", []) == []

    def test_everything_where_there_is_no_test_split(
        self, tmp_path: Path, evaluate: Evaluate
    ) -> None:
        leave_model(tmp_path / "m", labels=("a", "b", "c"))
        files = {f"{label}/{n}.png": picture(n, (28, 28)) for label in "ab" for n in range(300)}

        ended = evaluate(tmp_path / "m", files)

        found = ended.output("evaluation.json")
        assert (found["split"], found["samples"]) == ("all", 600)
        assert ended.points("progress") == [256 / 600, 512 / 600, 1.0]
        assert len(found["examples"]) == 64
        assert found["per_class"]["c"]["recall"] == 0.0

    def test_a_split_that_is_not_there(
        self, model: Path, evaluate: Evaluate, data: dict[str, bytes]
    ) -> None:
        ended = evaluate(model, data, split="winter")

        assert ended.failure["code"] == "data_split_unknown"
        assert ended.failure["params"] == {"split": "winter", "known": "test, train"}

    def test_classes_the_model_does_not_know(
        self, model: Path, evaluate: Evaluate, data: dict[str, bytes]
    ) -> None:
        files = data | {"test/up/1.png": picture(), "test/down/1.png": picture()}

        ended = evaluate(model, files)

        assert ended.failure == {
            "code": "data_labels_unknown",
            "cause": "user_code",
            "params": {"unknown": 2, "labels": "down, up"},
        }

    def test_a_picture_that_cannot_be_read(
        self, model: Path, evaluate: Evaluate, data: dict[str, bytes]
    ) -> None:
        body = io.BytesIO()
        Image.effect_noise((28, 28), 50).save(body, "PNG")
        files = data | {"test/left/cut.png": body.getvalue()[:300]}

        ended = evaluate(model, files)

        assert ended.failure["code"] == "pictures_unreadable"
        assert ended.failure["params"]["path"] == "test/left/cut.png"

    def test_data_of_another_kind(self, model: Path, evaluate: Evaluate) -> None:
        assert evaluate(model, {"t.csv": b"a\n1\n"}).failure["code"] == "data_not_images_by_class"
