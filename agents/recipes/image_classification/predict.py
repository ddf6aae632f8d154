"""From pictures or numbers to classes: the five verbs of serving and evaluation."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from agents.protocol.calls import TENSORS
from agents.protocol.results import Signature
from agents.recipes.image_classification.data import to_tensor
from agents.recipes.image_classification.model import SMALLEST, build, scaled
from agents.runners.failure import Failure
from agents.runners.importing.pictures import UnreadablePicture, decode
from agents.runners.predictor import RefusedCall, weights_of

PICTURES = {
    "image/png": ["PNG"],
    "image/jpeg": ["JPEG"],
    "image/webp": ["WEBP"],
    "image/bmp": ["BMP"],
    "image/gif": ["GIF"],
}
MAX_PIXELS = 50_000_000  # of one picture: 200 MB while it is decoded
LITTLE = np.dtype("<f4")
DECIMALS = 6  # of a probability: what float32 knows of it

Pixels = NDArray[np.float32]  # (rows, channels, size, size) in [0, 1]

_to_json = msgspec.json.Encoder().encode


class ImagePredictor:
    """The network with its labels, on its device."""

    def __init__(self, model: nn.Module, signature: Signature, device: torch.device) -> None:
        (entrance,) = signature.inputs
        self._model = model
        self._device = device
        self._name = entrance.name
        self._shape = tuple(size for size in entrance.shape[1:] if size is not None)
        self._row_bytes = 4 * math.prod(self._shape)
        self._labels = signature.labels
        self._mode = "RGB" if self._shape[0] == 3 else "L"

    def decode(self, kind: str, body: bytes, rows: int) -> Pixels:
        """Raw little-endian numbers, or one picture prepared as in training."""
        if kind == TENSORS:
            return self._numbers(body, rows)
        formats = PICTURES.get(kind)
        if formats is None:
            raise RefusedCall("content_type_unsupported", status=415, content_type=kind[:100])
        try:
            image = decode(BytesIO(body), formats=formats, max_pixels=MAX_PIXELS)
        except UnreadablePicture as error:
            raise RefusedCall("picture_unreadable", field=self._name, why=error.why) from None
        pixels = to_tensor(image, size=self._shape[1], mode=self._mode)
        return scaled(pixels.unsqueeze(0)).contiguous().numpy()

    def batch(self, calls: Sequence[Pixels]) -> Tensor:
        whole = np.concatenate(calls)  # one copy, which nobody else holds
        return torch.from_numpy(whole).to(self._device)

    @torch.inference_mode()
    def predict(self, batch: Tensor) -> Tensor:
        logits: Tensor = self._model(batch)
        return logits

    @torch.inference_mode()
    def encode(self, output: Tensor) -> list[bytes | RefusedCall]:
        """``{"label", "score", "scores"}`` of each row."""
        probabilities = output.double().softmax(1).cpu().numpy()
        winners = probabilities.argmax(1).tolist()
        shown = probabilities.round(DECIMALS).tolist()
        labels = self._labels
        return [
            _to_json(
                {
                    "label": labels[winner],
                    "score": scores[winner],
                    "scores": dict(zip(labels, scores, strict=True)),
                }
            )
            if scores[winner] == scores[winner]  # NaN differs from itself
            else RefusedCall("output_not_finite", status=500)
            for winner, scores in zip(winners, shown, strict=True)
        ]

    def blank(self, rows: int) -> Pixels:
        return np.zeros((rows, *self._shape), dtype=np.float32)

    def _numbers(self, body: bytes, rows: int) -> Pixels:
        if rows < 1 or len(body) != rows * self._row_bytes:
            raise RefusedCall(
                "input_shape",
                field=self._name,
                expected=f"{max(rows, 1) * self._row_bytes} bytes "
                f"({max(rows, 1)} x {' x '.join(map(str, self._shape))} float32)",
                found=f"{len(body)} bytes",
            )
        numbers = np.frombuffer(body, dtype=LITTLE).reshape(rows, *self._shape)
        if not np.isfinite(numbers).all():
            raise RefusedCall("input_not_finite", field=self._name)
        return numbers


def setup(folder: Path, signature: Signature, device: torch.device) -> ImagePredictor:
    """The network the signature describes, with the weights beside it; raises ``Failure``."""
    channels, size, classes = _dimensions(signature)
    with torch.device("meta"):  # shapes only: what a signature claims costs nothing yet
        model = build(channels=channels, size=size, classes=classes)
    model.load_state_dict(_weights(folder, signature, model.state_dict()), assign=True)
    model.eval().requires_grad_(requires_grad=False).to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # faster on a CPU
    return ImagePredictor(model, signature, device)


def _dimensions(signature: Signature) -> tuple[int, int, int]:
    """Channels, size and classes, if this recipe could have written the signature."""
    inputs = [(tensor.dtype, tensor.shape) for tensor in signature.inputs]
    match inputs:
        case [("float32", [None, 1 | 3 as channels, int(size), int(again)])] if (
            size == again and size >= SMALLEST
        ):
            pass
        case _:
            raise Failure("signature_input_unusable", found=_shown(inputs))
    outputs = [(tensor.dtype, tensor.shape) for tensor in signature.outputs]
    match outputs:
        case [("float32", [None, int(classes)])] if classes >= 1:
            pass
        case _:
            raise Failure("signature_output_unusable", found=_shown(outputs))
    if len(signature.labels) != classes or len(set(signature.labels)) != classes:
        raise Failure(
            "signature_labels_mismatch",
            labels=len(set(signature.labels)),
            classes=classes,
        )
    return channels, size, classes


def _weights(folder: Path, signature: Signature, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the safetensors file, each as the network has it."""
    path = weights_of(folder, signature)
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            for name in sorted(names - wanted.keys()):
                found = _shape(file.get_slice(name).get_shape())
                raise Failure("weights_tensor_unknown", tensor=name, found=found)
            for name, tensor in wanted.items():
                expected = _shape(tensor.shape)
                if name not in names:
                    raise Failure("weights_tensor_missing", tensor=name, expected=expected)
                found = _shape(file.get_slice(name).get_shape())
                if found != expected:
                    raise Failure(
                        "weights_shape_mismatch", tensor=name, expected=expected, found=found
                    )
            weights = {name: file.get_tensor(name) for name in wanted}
    except (SafetensorError, OSError) as error:
        raise Failure("weights_unreadable", weights=signature.weights, why=str(error)) from None
    for name, tensor in wanted.items():
        if weights[name].dtype != tensor.dtype:
            raise Failure(
                "weights_dtype_mismatch",
                tensor=name,
                expected=_plain(tensor.dtype),
                found=_plain(weights[name].dtype),
            )
    return weights


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes)) or "scalar"


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _shown(tensors: list[tuple[str, list[int | None]]]) -> str:
    return "; ".join(
        f"{dtype} {' x '.join('*' if size is None else str(size) for size in shape)}"
        for dtype, shape in tensors
    )
