"""What a workload is to do. Its exact bytes are fetched over HTTPS and checked against the hash in
the signed order, so a broker cannot change a single argument."""

import hashlib
from typing import Any, Literal

import msgspec

from agents.protocol.base import Message, Resources


class FileRef(Message):
    """One file of an input or an output."""

    path: str  # relative, forward slashes, no "..", unique within its set
    digest: str  # sha256, lower-case hex
    size: int


class Input(Message):
    """A named set of files that appears under DATAHALL_INPUTS/<name>."""

    name: str
    files: list[FileRef]
    unpack: bool = False  # the files are archives; the payload sees their contents


class ScriptSpec(Message, tag="script", tag_field="kind"):
    """Any Python file or folder, run as its author would run it."""

    code: FileRef  # one .py file, or a .zip of a folder
    entrypoint: str  # path of the script within the code
    arguments: list[str] = []
    requirements: list[str] = []  # PEP 508 lines
    env: dict[str, str] = {}


class RecipeSpec(Message, tag="recipe", tag_field="kind"):
    """Train with a recipe that the agent carries."""

    recipe: str
    parameters: dict[str, Any] = {}


class ImportSpec(Message, tag="import", tag_field="kind"):
    """Look at uploaded files, recognise what they are and describe them."""

    max_entries: int = 1_000_000
    max_unpacked_bytes: int = 64 * 1024**3
    max_ratio: int = 200


class ServeSpec(Message, tag="serve", tag_field="kind"):
    """Answer calls with a model version, whose files are the input ``model``."""

    max_batch: int = 64  # rows
    max_queue: int = 1024  # calls waiting, beyond which the replica refuses


class EvaluateSpec(Message, tag="evaluate", tag_field="kind"):
    """Measure a model version (the input ``model``) on a dataset (the input ``data``)."""

    split: str = ""  # "": the data's test split if it has one, else all of it
    max_examples: int = 64  # pictures kept to look at, wrong ones first


Payload = ScriptSpec | RecipeSpec | ImportSpec | ServeSpec | EvaluateSpec

MODEL_INPUT = "model"
DATA_INPUT = "data"
REPLICA_BEARER = "DATAHALL_REPLICA_BEARER"  # among the secrets of a ServeSpec's yes


class WorkloadSpec(Message):
    """Everything the node has to know about a workload, save secrets and access."""

    name: str  # for people: the job's name
    payload: Payload
    resources: Resources
    inputs: list[Input] = []
    world_size: int = 1
    grace_seconds: float = 10.0
    max_log_bytes: int = 1024**3
    network: Literal["host", "none"] = "host"  # "none": it is alone with itself (agent 0.1.0)


def encode_spec(spec: WorkloadSpec) -> bytes:
    return msgspec.json.encode(spec)


def decode_spec(body: bytes) -> WorkloadSpec:
    return msgspec.json.decode(body, type=WorkloadSpec)


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
