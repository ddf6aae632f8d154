"""The five verbs by which a model is used, in serving as in evaluation.

``setup`` is a function of the recipe's ``predict.py``; what it returns has the other four. A recipe
knows tensors and pictures; it knows nothing of sockets, queues or threads.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.protocol.recipes import all_manifests
from agents.protocol.results import (
    MAX_RESULT_BYTES,
    SIGNATURE_FILE,
    Signature,
    decode_signature,
)
from agents.protocol.workloads import Cause
from agents.runners.failure import Failure

Rows = NDArray[Any]  # one call's numbers; the first dimension counts its rows


class RefusedCall(Exception):
    """A call that cannot be answered: a status as in HTTP, a code and its parameters."""

    def __init__(self, code: str, /, *, status: int = 422, **params: Any) -> None:
        super().__init__(code, params)
        self.code = code
        self.status = status
        self.params = params


class Predictor(Protocol):
    """A model that is set up."""

    def decode(self, kind: str, body: bytes, rows: int) -> Rows:
        """A call's body as numbers; raises ``RefusedCall``. May run in several threads at once."""
        ...

    def batch(self, calls: Sequence[Rows]) -> Tensor:
        """Several calls' numbers as one tensor, where the model is."""
        ...

    def predict(self, batch: Tensor) -> Tensor:
        """The model."""
        ...

    def encode(self, output: Tensor) -> list[bytes | RefusedCall]:
        """For each row the JSON the caller gets, or why there is none."""
        ...

    def blank(self, rows: int) -> Rows:
        """Numbers of the right shape that mean nothing: to warm up with."""
        ...


class Recipe(Protocol):
    """The module ``predict`` of a recipe."""

    def setup(self, folder: Path, signature: Signature, device: torch.device) -> Predictor:
        """Weights into the model, checked against the signature; raises ``Failure``."""
        ...


def set_up(folder: Path, device: torch.device) -> tuple[Predictor, Signature]:
    """The model version in a folder, ready for use; raises ``Failure``."""
    signature = read_signature(folder)
    name = recipe_of(signature)
    recipe: Recipe = importlib.import_module(f"agents.recipes.{name}.predict")
    return recipe.setup(folder, signature, device), signature


def read_signature(folder: Path) -> Signature:
    """``signature.json`` of a model version; raises ``Failure``."""
    try:
        with (folder / SIGNATURE_FILE).open("rb") as file:
            body = file.read(MAX_RESULT_BYTES + 1)
    except OSError:
        raise Failure("signature_missing") from None
    try:
        if len(body) > MAX_RESULT_BYTES:
            raise ValueError(f"more than {MAX_RESULT_BYTES} bytes")
        return decode_signature(body)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise Failure("signature_unreadable", why=str(error)) from None


def recipe_of(signature: Signature) -> str:
    """The recipe that knows how to use a model; raises ``Failure``."""
    if not signature.recipe:
        raise Failure("model_without_recipe")
    if signature.recipe not in all_manifests():  # it becomes part of an import
        raise Failure("recipe_not_on_node", cause=Cause.ENVIRONMENT, recipe=signature.recipe)
    return signature.recipe


def weights_of(folder: Path, signature: Signature) -> Path:
    """The weights file a signature names, below its folder; raises ``Failure``."""
    path = PurePosixPath(signature.weights)
    if path.is_absolute() or ".." in path.parts or not (folder / path).is_file():
        raise Failure("model_weights_missing", weights=signature.weights)
    return folder / path


def device_to_use() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
