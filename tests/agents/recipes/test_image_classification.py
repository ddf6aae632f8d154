import io
import math
from collections.abc import Callable

import torch
from PIL import Image
from safetensors.torch import load_file

from agents.recipes.image_classification.model import build
from tests.agents.runners.conftest import Ended, picture, zipped

Run = Callable[..., Ended]


def recipe(**parameters: object) -> dict[str, object]:
    return {"kind": "recipe", "recipe": "image_classification", "parameters": parameters}


def shapes() -> dict[str, bytes]:
    """Two classes a network can tell apart: a bright left half, a bright right half."""
    files = {}
    for number in range(60):
        for label in ("left", "right"):
            image = Image.effect_noise((28, 28), 30 + number)
            image.paste(255, (0, 0, 14, 28) if label == "left" else (14, 0, 28, 28))
            body = io.BytesIO()
            image.save(body, "PNG")
            split = "test" if number < 10 else "train"
            files[f"{split}/{label}/{number}.png"] = body.getvalue()
    return files


class TestBuild:
    def test_is_the_network_of_the_brief(self) -> None:
        model = build(channels=1, size=28, classes=10)

        assert sum(parameter.numel() for parameter in model.parameters()) == 34_826
        assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


class TestTrain:
    def test_leaves_weights_signature_and_evaluation(self, run: Run) -> None:
        ended = run(recipe(epochs=3, batch_size=10), files={"s.zip": zipped(shapes())}, unpack=True)

        evaluation, signature = ended.output("evaluation.json"), ended.output("signature.json")
        assert evaluation["metrics"]["accuracy"] == 1.0
        assert evaluation["confusion"] == [[10, 0], [0, 10]]
        assert signature["labels"] == ["left", "right"]
        assert signature["inputs"][0]["shape"] == [None, 1, 28, 28]
        weights = load_file(ended.workspace / "outputs" / signature["weights"])
        build(channels=1, size=28, classes=2).load_state_dict(weights)
        assert ended.points("test/accuracy") == [1.0]
        assert all(math.isfinite(loss) for loss in ended.points("train/loss"))

    def test_the_same_seed_gives_the_same_weights(self, run: Run, tmp_path: object) -> None:
        files = {"s.zip": zipped(shapes())}
        losses = []
        for _ in range(2):
            ended = run(recipe(epochs=1, seed=3), files=files, unpack=True)
            losses.append(ended.output("evaluation.json")["metrics"]["loss"])
            ended.workspace.rename(ended.workspace.with_name(f"done{len(losses)}"))

        assert losses[0] == losses[1]

    def test_holds_out_a_fifth_where_there_is_no_test_split(self, run: Run) -> None:
        files = {f"{label}/{n}.png": picture(n) for label in "ab" for n in range(50)}

        ended = run(recipe(epochs=1), files=files)

        evaluation = ended.output("evaluation.json")
        assert evaluation["split"] == "held-out"
        assert 5 < evaluation["samples"] < 40

    def test_refuses_data_of_another_kind(self, run: Run) -> None:
        ended = run(recipe(), files={"t.csv": b"a\n1\n"})

        assert ended.failure["code"] == "data_not_images_by_class"

    def test_refuses_more_data_than_memory(self, run: Run) -> None:
        files = {f"{label}/{n}.png": picture() for label in "ab" for n in range(1000)}

        ended = run(recipe(image_size=512, color="rgb"), files=files)

        assert ended.failure["code"] == "data_larger_than_memory"

    def test_a_recipe_the_node_does_not_have(self, run: Run) -> None:
        ended = run({"kind": "recipe", "recipe": "../../os", "parameters": {}})

        assert ended.failure["code"] == "recipe_not_on_node"
