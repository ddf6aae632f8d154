"""Files a workload leaves under DATAHALL_OUTPUTS that mean something to the control plane."""

from typing import Any

import msgspec

from agents.protocol.base import Message

SIGNATURE_FILE = "signature.json"
EVALUATION_FILE = "evaluation.json"
PROFILE_FILE = "profile.json"
MAX_RESULT_BYTES = 1024 * 1024


class Tensor(Message):
    """One input or output of a model. ``None`` in the shape is a free dimension."""

    name: str
    dtype: str
    shape: list[int | None]


class Signature(Message):
    """signature.json: what a model takes and gives. With it, the outputs become a model version."""

    task: str  # "image_classification"
    inputs: list[Tensor]
    outputs: list[Tensor]
    weights: str  # path of the safetensors file within the outputs
    recipe: str = ""
    labels: list[str] = []
    preprocessing: dict[str, Any] = {}  # e.g. size, channels, mean, std
    parameters: int | None = None  # how many numbers are trained
    framework: str = ""


class Example(Message):
    """One held-out sample to look at."""

    path: str  # of a small picture within the same outputs
    truth: str
    predicted: str
    score: float  # of what was predicted


class EvaluationResult(Message):
    """evaluation.json: metrics on held-out data."""

    split: str
    metrics: dict[str, float]
    samples: int
    per_class: dict[str, dict[str, float]] = {}
    confusion: list[list[int]] = []  # rows: truth, columns: prediction, in the order of labels
    labels: list[str] = []
    examples: list[Example] = []  # wrong ones first


class Profile(Message):
    """profile.json of an import: what the data is. Thumbnails are paths within the same outputs."""

    kind: str  # "images_by_class" | "images" | "table" | "files"
    samples: int
    schema: list[dict[str, Any]] = []  # column name, type, nulls ... ; for images: size, mode
    splits: dict[str, dict[str, int]] = {}  # split -> class -> count
    counts: dict[str, int] = {}  # class -> count, over all splits
    thumbnails: dict[str, list[str]] = {}  # class ("" if none) -> paths
    unpack: bool = False  # the files are one archive whose contents are the data
    preview: list[dict[str, Any]] = []  # first rows of a table
    warnings: list[str] = []


def decode_signature(body: bytes) -> Signature:
    return msgspec.json.decode(body, type=Signature)


def decode_evaluation(body: bytes) -> EvaluationResult:
    return msgspec.json.decode(body, type=EvaluationResult)


def decode_profile(body: bytes) -> Profile:
    return msgspec.json.decode(body, type=Profile)
