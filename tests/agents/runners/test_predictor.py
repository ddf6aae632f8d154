"""The five verbs, on the recipe that ships."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from agents.protocol.calls import TENSORS
from agents.protocol.results import Tensor
from agents.recipes.image_classification.model import build, scaled
from agents.runners.failure import Failure
from agents.runners.predictor import Predictor, RefusedCall, set_up
from tests.agents.recipes.test_image_classification import recipe, shapes
from tests.agents.runners.conftest import Ended, zipped
from tests.agents.runners.replica import leave_model, numbers, signature_of

CPU = torch.device("cpu")
LABELS = tuple("0123456789")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    leave_model(tmp_path)
    return tmp_path


@pytest.fixture
def predictor(folder: Path) -> Predictor:
    return set_up(folder, CPU)[0]


def a_picture(format_: str = "PNG", size: tuple[int, int] = (28, 28), mode: str = "L") -> bytes:
    body = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(body, format_)
    return body.getvalue()


def answers(predictor: Predictor, *calls: Any) -> list[dict[str, Any]]:
    rows = predictor.encode(predictor.predict(predictor.batch(calls)))
    return [json.loads(row) for row in rows if isinstance(row, bytes)]


class TestATrainedModel:
    def test_answers_as_it_was_trained_to(self, run: Callable[..., Ended]) -> None:
        files = shapes()
        ended = run(recipe(epochs=3, batch_size=10), files={"s.zip": zipped(files)}, unpack=True)

        predictor, signature = set_up(ended.workspace / "outputs", CPU)

        calls = [
            predictor.decode("image/png", files[f"test/{label}/3.png"], 1)
            for label in ("left", "right", "left")
        ]
        found = answers(predictor, *calls)
        assert signature.labels == ["left", "right"]
        assert [one["label"] for one in found] == ["left", "right", "left"]
        assert all(one["score"] > 0.5 for one in found)


class TestVerbs:
    def test_give_what_the_network_gives(self, folder: Path, predictor: Predictor) -> None:
        body = numbers(rows=3)

        found = answers(predictor, predictor.decode(TENSORS, body, 3))

        model = build(channels=1, size=28, classes=10)
        model.load_state_dict(load_file(folder / "model.safetensors"))
        pixels = torch.from_numpy(np.frombuffer(body, "<f4").reshape(3, 1, 28, 28).copy())
        with torch.inference_mode():
            expected = model(pixels).softmax(1)
        for one, row in zip(found, expected, strict=True):
            assert [*one["scores"]] == [*LABELS]
            assert [*one["scores"].values()] == pytest.approx(row.tolist(), abs=2e-6)
            assert one["label"] == LABELS[int(row.argmax())]
            assert one["score"] == max(one["scores"].values())

    def test_a_batch_is_the_calls_one_after_the_other(self, predictor: Predictor) -> None:
        calls = [predictor.decode(TENSORS, numbers(rows, seed=rows), rows) for rows in (1, 3, 2)]

        together = answers(predictor, *calls)

        alone = [one for call in calls for one in answers(predictor, call)]
        assert [one["label"] for one in together] == [one["label"] for one in alone]
        assert len(together) == 6

    @pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "gif"])
    def test_take_pictures(self, predictor: Predictor, kind: str) -> None:
        body = a_picture(kind.upper(), size=(40, 31), mode="L" if kind != "webp" else "RGB")

        pixels = predictor.decode(f"image/{kind}", body, 1)

        assert pixels.shape == (1, 1, 28, 28)
        assert 0 <= pixels.min() < pixels.max() <= 1

    def test_prepare_a_picture_as_training_does(self, predictor: Predictor) -> None:
        body = a_picture()

        pixels = predictor.decode("image/png", body, 1)

        raw = torch.tensor(np.asarray(Image.open(io.BytesIO(body))))
        assert np.array_equal(pixels[0, 0], scaled(raw).numpy())

    @pytest.mark.parametrize(
        ("kind", "body", "rows", "code", "status"),
        [
            ("image/png", a_picture()[:200], 1, "picture_unreadable", 422),
            ("image/png", a_picture("JPEG"), 1, "picture_unreadable", 422),
            ("image/png", b"", 1, "picture_unreadable", 422),
            ("image/tiff", a_picture("TIFF"), 1, "content_type_unsupported", 415),
            (TENSORS, numbers()[:-4], 1, "input_shape", 422),
            (TENSORS, numbers(), 2, "input_shape", 422),
            (TENSORS, b"", 0, "input_shape", 422),
            (TENSORS, b"", -1, "input_shape", 422),
            (TENSORS, np.full(784, np.nan, "<f4").tobytes(), 1, "input_not_finite", 422),
            (TENSORS, np.full(784, -np.inf, "<f4").tobytes(), 1, "input_not_finite", 422),
        ],
    )
    def test_refuse_a_call(
        self, predictor: Predictor, kind: str, body: bytes, rows: int, code: str, status: int
    ) -> None:
        with pytest.raises(RefusedCall) as refused:
            predictor.decode(kind, body, rows)

        assert (refused.value.code, refused.value.status) == (code, status)

    def test_refuse_a_picture_that_unpacks_to_more_than_is_good(self, predictor: Predictor) -> None:
        body = io.BytesIO()
        Image.new("1", (9000, 9000)).save(body, "PNG")

        with pytest.raises(RefusedCall, match="picture_unreadable"):
            predictor.decode("image/png", body.getvalue(), 1)

    def test_a_row_that_is_not_finite_spoils_no_other(self, predictor: Predictor) -> None:
        output = torch.zeros(3, 10)
        output[1, 4] = torch.nan

        first, second, third = predictor.encode(output)

        assert isinstance(first, bytes)
        assert isinstance(third, bytes)
        assert isinstance(second, RefusedCall)
        assert second.code == "output_not_finite"


class TestSetup:
    def refusal(self, folder: Path) -> tuple[str, dict[str, Any]]:
        with pytest.raises(Failure) as failure:
            set_up(folder, CPU)
        return failure.value.code, failure.value.params

    def with_weights(self, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors")
        return folder

    def test_a_tensor_of_another_shape(self, folder: Path) -> None:
        self.with_weights(folder, lambda w: w.update({"3.weight": torch.zeros(64, 32, 5, 5)}))

        assert self.refusal(folder) == (
            "weights_shape_mismatch",
            {"tensor": "3.weight", "expected": "64 x 32 x 3 x 3", "found": "64 x 32 x 5 x 5"},
        )

    def test_a_tensor_that_is_not_there(self, folder: Path) -> None:
        self.with_weights(folder, lambda w: w.pop("3.bias"))

        assert self.refusal(folder) == (
            "weights_tensor_missing",
            {"tensor": "3.bias", "expected": "64"},
        )

    def test_a_tensor_too_many(self, folder: Path) -> None:
        self.with_weights(folder, lambda w: w.update(extra=torch.zeros(2, 3)))

        assert self.refusal(folder) == (
            "weights_tensor_unknown",
            {"tensor": "extra", "found": "2 x 3"},
        )

    def test_a_tensor_of_another_type(self, folder: Path) -> None:
        self.with_weights(folder, lambda w: w.update({"0.bias": torch.zeros(32).half()}))

        assert self.refusal(folder) == (
            "weights_dtype_mismatch",
            {"tensor": "0.bias", "expected": "float32", "found": "float16"},
        )

    def test_weights_that_are_no_safetensors(self, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"not at all")

        assert self.refusal(folder)[0] == "weights_unreadable"

    @pytest.mark.parametrize("path", ["other.safetensors", "../model.safetensors", "/etc/passwd"])
    def test_weights_elsewhere(self, folder: Path, path: str) -> None:
        signature = msgspec.structs.replace(signature_of(labels=LABELS), weights=path)
        leave_model(folder / "model", signature=signature)
        leave_model(folder)

        assert self.refusal(folder / "model") == ("model_weights_missing", {"weights": path})

    def test_no_signature(self, tmp_path: Path) -> None:
        assert self.refusal(tmp_path)[0] == "signature_missing"

    def test_a_signature_that_cannot_be_read(self, folder: Path) -> None:
        (folder / "signature.json").write_text("{")

        assert self.refusal(folder)[0] == "signature_unreadable"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"recipe": ""}, "model_without_recipe"),
            ({"recipe": "../../os"}, "recipe_not_on_node"),
            ({"labels": ["a", "b"]}, "signature_labels_mismatch"),
            ({"labels": ["a"] * 10}, "signature_labels_mismatch"),
            ({"inputs": []}, "signature_input_unusable"),
            ({"outputs": []}, "signature_output_unusable"),
        ]
        + [
            (
                {"inputs": [Tensor(name="image", dtype=dtype, shape=shape)]},
                "signature_input_unusable",
            )
            for dtype, shape in [
                ("float16", [None, 1, 28, 28]),
                ("float32", [None, 2, 28, 28]),
                ("float32", [None, 1, 28, 29]),
                ("float32", [None, 1, 9, 9]),
                ("float32", [None, 1, None, None]),
                ("float32", [784]),
            ]
        ],
    )
    def test_a_signature_this_recipe_never_wrote(
        self, tmp_path: Path, change: dict[str, Any], code: str
    ) -> None:
        signature = msgspec.structs.replace(signature_of(labels=LABELS), **change)
        leave_model(tmp_path, signature=signature)

        assert self.refusal(tmp_path)[0] == code

    def test_a_signature_of_a_larger_picture(self, tmp_path: Path) -> None:
        leave_model(tmp_path, signature=signature_of(size=100_000, labels=LABELS))

        assert self.refusal(tmp_path)[0] == "weights_shape_mismatch"
