"""What each kind of job accepts, and what a node is told of it.

``read_config`` turns what somebody submits into the config a job keeps: every default filled in,
every reference resolved to something immutable. From that config alone ``workload_spec`` makes the
same spec for every run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from agents.protocol.base import Resources
from agents.protocol.recipes import Manifest, Parameter, read_manifest
from agents.protocol.specs import (
    DATA_INPUT,
    MODEL_INPUT,
    EvaluateSpec,
    FileRef,
    ImportSpec,
    Input,
    Payload,
    RecipeSpec,
    ScriptSpec,
    WorkloadSpec,
)
from apps.artifacts import names, paths
from apps.artifacts import selectors as artifacts
from apps.common.errors import DomainError, FieldRefusal, InputRefused
from apps.datasets import selectors as datasets
from apps.datasets.models import DatasetVersion, VersionState
from apps.fleet import selectors as fleet
from apps.jobs.models import Job, JobKind
from apps.projects.models import Project
from apps.registry import selectors as registry
from apps.registry.models import ModelVersion

GIB = 1024**3
DEFAULTS = {
    JobKind.IMPORT: Resources(cpu_millis=500, memory_bytes=GIB),
    JobKind.SCRIPT: Resources(cpu_millis=1000, memory_bytes=GIB),
}
IMPORT_INPUT = "data"
GRACE_SECONDS = 10.0

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# what the job contract sets; a job that overrides these would not find its own inputs or devices
_OURS = frozenset({"CUDA_VISIBLE_DEVICES", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
# PEP 508 begins with a name: no option of pip, no path
_REQUIREMENT = re.compile(r"[A-Za-z0-9][^\x00-\x1f]*")


Source = DatasetVersion | ModelVersion  # immutable files that a run reads
Sources = Sequence[tuple[str, Source]]  # by the name of the input


@dataclass(frozen=True)
class Prepared:
    """A submission that can be taken."""

    config: dict[str, Any]
    inputs: Sources
    name: str  # if the submitter gives none


@dataclass
class _Reader:
    """Reads one submission and gathers everything that is wrong with it."""

    project: Project
    refusals: list[FieldRefusal] = field(default_factory=list)

    def refuse(self, field: str, code: str, **params: Any) -> None:
        self.refusals.append(FieldRefusal(field, code, params))

    @contextmanager
    def reading(self, field: str) -> Iterator[None]:
        """What a lower app refuses in here is this field's fault."""
        try:
            yield
        except DomainError as error:
            self.refuse(field, error.code, **error.params)

    def finish(self, prepared: Prepared | None) -> Prepared:
        if self.refusals or prepared is None:
            raise InputRefused(self.refusals)
        return prepared


def read_config(project: Project, kind: JobKind, given: Mapping[str, Any]) -> Prepared:
    """What a job of this kind is to do; raises ``InputRefused`` naming every field at fault."""
    reader = _Reader(project)
    match kind:
        case JobKind.TRAIN:
            return reader.finish(_read_train(reader, given))
        case JobKind.SCRIPT:
            return reader.finish(_read_script(reader, given))
        case JobKind.EVALUATE:
            return reader.finish(_read_evaluate(reader, given))
        case JobKind.IMPORT:
            return reader.finish(_read_import(reader, given))


def workload_spec(job: Job, inputs: Sources) -> WorkloadSpec:
    """What the node gets, the same for every run of the job."""
    return WorkloadSpec(
        name=job.name,
        payload=_payload(job),
        resources=resources_of(job),
        inputs=[
            Input(
                name=name,
                files=_files(source),
                # an import looks at the archive itself, before anybody trusts its contents
                unpack=job.kind != JobKind.IMPORT and _is_archive(source),
            )
            for name, source in inputs
        ],
        grace_seconds=job.config.get("grace_seconds", GRACE_SECONDS),
        network=job.config.get("network", "host"),
    )


def _files(source: Source) -> list[FileRef]:
    if isinstance(source, ModelVersion):
        return registry.files_of(source)
    return datasets.files_of(source)


def _is_archive(source: Source) -> bool:
    return isinstance(source, DatasetVersion) and bool((source.profile or {}).get("unpack"))


def resources_of(job: Job) -> Resources:
    return Resources(**job.config["resources"])


@cache
def _metric_of(recipe: str) -> str:
    try:
        return read_manifest(recipe).metrics[0]
    except (KeyError, IndexError):  # a recipe of another release, or one that measures nothing
        return ""


def main_metric(job: Job) -> str:
    """The metric that says best how a job is doing; "" if its kind does not tell."""
    return _metric_of(job.config.get("recipe", ""))


# --- by kind -------------------------------------------------------------------------------------


def _read_train(reader: _Reader, given: Mapping[str, Any]) -> Prepared | None:
    manifest = _manifest(reader, given["recipe"])
    version = _dataset(reader, "dataset", given["dataset"])
    parameters: dict[str, Any] = {}
    if manifest:
        parameters = _parameters(reader, manifest, given.get("parameters") or {})
        if version:
            _check_kind(reader, version, manifest)
    if manifest is None or version is None:
        return None
    default_model = f"{version.dataset.name}-{manifest.name}"[:100]
    return Prepared(
        config={
            "recipe": manifest.name,
            "recipe_version": manifest.version,
            "parameters": parameters,
            "dataset": dataset_ref(version),
            "version": str(version.id),
            "model": _model(reader, given.get("model") or default_model),
            "resources": _resources(manifest.resources, given),
            "grace_seconds": given.get("grace_seconds", GRACE_SECONDS),
        },
        inputs=[(version.dataset.name, version)],
        name=f"{manifest.name} {dataset_ref(version)}",
    )


def _read_script(reader: _Reader, given: Mapping[str, Any]) -> Prepared | None:
    entrypoint = paths.composed(given["entrypoint"])
    if fault := paths.fault(entrypoint):
        reader.refuse("entrypoint", fault.code, path=entrypoint)
    code = _code(reader, given["code"], entrypoint)
    inputs = _inputs(reader, given.get("inputs") or [])
    for index, line in enumerate(given.get("requirements") or []):
        if not _REQUIREMENT.fullmatch(line):
            reader.refuse(f"requirements.{index}", "requirement_refused", line=line[:200])
    if given.get("network") == "none":
        if given.get("requirements"):
            reader.refuse("requirements", "requirements_need_network")
        if not fleet.isolates_anywhere():
            reader.refuse("network", "network_none_nowhere")
    for name in given.get("env") or {}:
        if not _VARIABLE.fullmatch(name):
            reader.refuse("env", "variable_refused", name=name[:200])
        elif name in _OURS or name.startswith("DATAHALL_"):
            reader.refuse("env", "variable_reserved", name=name[:200])
    if code is None:
        return None
    name = given.get("name") or entrypoint
    default_model = re.sub(r"[^\w.-]+", "-", name).strip("-._")[:100] or "model"
    return Prepared(
        config={
            "code": {"path": code.path, "digest": code.digest, "size": code.size},
            "entrypoint": entrypoint,
            "arguments": list(given.get("arguments") or []),
            "requirements": list(given.get("requirements") or []),
            "env": dict(given.get("env") or {}),
            "network": given.get("network") or "host",
            "inputs": [
                {"name": name, "dataset": dataset_ref(version), "version": str(version.id)}
                for name, version in inputs
            ],
            "model": _model(reader, given.get("model") or default_model),
            "resources": _resources(DEFAULTS[JobKind.SCRIPT], given),
            "grace_seconds": given.get("grace_seconds", GRACE_SECONDS),
        },
        inputs=inputs,
        name=entrypoint,
    )


def _read_evaluate(reader: _Reader, given: Mapping[str, Any]) -> Prepared | None:
    model = _model_version(reader, "model", given["model"])
    data = _dataset(reader, "dataset", given["dataset"])
    manifest = _manifest_of(reader, model) if model else None
    split = given.get("split") or ""
    if data:
        _check_split(reader, data, split)
        if manifest:
            _check_kind(reader, data, manifest)
    if model is None or data is None or manifest is None:
        return None
    return Prepared(
        config={
            "model": model_ref(model),
            "model_version": str(model.id),
            "dataset": dataset_ref(data),
            "version": str(data.id),
            "split": split,
            "recipe": manifest.name,
            "resources": _resources(manifest.resources, given),
            "grace_seconds": given.get("grace_seconds", GRACE_SECONDS),
        },
        inputs=[(MODEL_INPUT, model), (DATA_INPUT, data)],
        name=f"evaluate {model_ref(model)} on {dataset_ref(data)}",
    )


def _read_import(reader: _Reader, given: Mapping[str, Any]) -> Prepared:
    version = datasets.version_by_id(given["version"])
    return Prepared(
        config={
            "dataset": dataset_ref(version),
            "version": str(version.id),
            "resources": _resources(DEFAULTS[JobKind.IMPORT], given),
        },
        inputs=[(IMPORT_INPUT, version)],
        name=f"import {dataset_ref(version)}",
    )


def _payload(job: Job) -> Payload:
    config = job.config
    match JobKind(job.kind):
        case JobKind.TRAIN:
            return RecipeSpec(recipe=config["recipe"], parameters=config["parameters"])
        case JobKind.SCRIPT:
            return ScriptSpec(
                code=FileRef(**config["code"]),
                entrypoint=config["entrypoint"],
                arguments=config["arguments"],
                requirements=config["requirements"],
                env=config["env"],
            )
        case JobKind.EVALUATE:
            return EvaluateSpec(split=config["split"])
        case JobKind.IMPORT:
            return ImportSpec()


# --- by field ------------------------------------------------------------------------------------


def _manifest(reader: _Reader, name: str) -> Manifest | None:
    try:
        return read_manifest(name)
    except KeyError:
        reader.refuse("recipe", "recipe_unknown", recipe=name)
        return None


def _model_version(reader: _Reader, field: str, ref: str) -> ModelVersion | None:
    with reader.reading(field):
        return registry.version(reader.project, ref)
    return None


def _manifest_of(reader: _Reader, model: ModelVersion) -> Manifest | None:
    """The recipe that can load a version; only one that its signature names can."""
    recipe = model.signature.get("recipe") or ""
    try:
        return read_manifest(recipe)
    except KeyError:
        reader.refuse("model", "version_not_evaluable", model=model_ref(model), recipe=recipe)
        return None


def _check_kind(reader: _Reader, version: DatasetVersion, manifest: Manifest) -> None:
    if version.kind not in manifest.accepts:
        reader.refuse(
            "dataset",
            "dataset_kind_not_accepted",
            kind=version.kind,
            accepts=", ".join(manifest.accepts),
        )


def _check_split(reader: _Reader, version: DatasetVersion, split: str) -> None:
    splits = (version.profile or {}).get("splits") or {}
    if split and split not in splits:
        reader.refuse(
            "split",
            "split_unknown",
            split=split,
            dataset=dataset_ref(version),
            splits=", ".join(splits),
        )


def _parameters(reader: _Reader, manifest: Manifest, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in manifest.parameters}
    for name in given.keys() - known.keys():
        reader.refuse(f"parameters.{name}", "parameter_unknown", recipe=manifest.name)
    values = {}
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if code := parameter.refuse(value):
            reader.refuse(f"parameters.{name}", code, **_bounds(parameter))
        values[name] = value
    return values


def _bounds(parameter: Parameter) -> dict[str, Any]:
    def shown(bound: float | None) -> float | None:
        return int(bound) if bound is not None and bound.is_integer() else bound

    return {
        "minimum": shown(parameter.minimum),
        "maximum": shown(parameter.maximum),
        "choices": ", ".join(map(str, parameter.choices)),
    }


def _dataset(reader: _Reader, field: str, ref: str) -> DatasetVersion | None:
    with reader.reading(field):
        version = datasets.version(reader.project, ref)
        if version.state == VersionState.READY:
            return version
        reader.refuse(field, f"dataset_{version.state}", dataset=dataset_ref(version))
    return None


def _inputs(
    reader: _Reader, given: Sequence[Mapping[str, str]]
) -> list[tuple[str, DatasetVersion]]:
    inputs: dict[str, DatasetVersion] = {}
    for index, item in enumerate(given):
        version = _dataset(reader, f"inputs.{index}.dataset", item["dataset"])
        if version is None:
            continue
        name = item.get("name") or version.dataset.name
        with reader.reading(f"inputs.{index}.name"):
            names.check(name)
        if name in inputs:
            reader.refuse(f"inputs.{index}.name", "input_twice", name=name)
        inputs[name] = version
    return list(inputs.items())


def _code(reader: _Reader, ref: str, entrypoint: str) -> FileRef | None:
    """The script's file or archive, by the id of a finished upload or by digest."""
    if upload_id := names.uuid_of(ref):
        upload = artifacts.uploads_by_id(reader.project, [upload_id]).get(upload_id)
        if upload is None:
            reader.refuse("code", "upload_unknown", upload=ref)
            return None
        if upload.artifact is None:
            reader.refuse("code", "upload_unfinished", upload=ref)
            return None
        artifact = upload.artifact
    else:
        found = artifacts.artifact(reader.project, ref)
        if found is None:
            reader.refuse("code", "artifact_unknown", path=ref[:64])
            return None
        artifact = found
        upload = (
            artifacts.uploads_in(reader.project)
            .filter(artifact=artifact)
            .order_by("-created_at")
            .first()
        )
    if upload is not None and upload.filename.lower().endswith(".zip"):
        path = "code.zip"
    elif "/" in entrypoint:
        reader.refuse("entrypoint", "entrypoint_in_no_archive", entrypoint=entrypoint)
        return None
    else:
        path = entrypoint  # a single file is called what it is run as
    return FileRef(path=path, digest=artifact.digest, size=artifact.size)


def _model(reader: _Reader, name: str) -> str:
    with reader.reading("model"):
        names.check(name)
    return name


def _resources(default: Resources, given: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {
        "cpu_millis": default.cpu_millis,
        "memory_bytes": default.memory_bytes,
        "device_count": default.device_count,
        "device_kind": default.device_kind,
        "device_memory_bytes": default.device_memory_bytes,
        "simulated": default.simulated,
    }
    return wanted | dict(given.get("resources") or {})


def model_ref(version: ModelVersion) -> str:
    return f"{version.model.name}@{version.number}"


def dataset_ref(version: DatasetVersion) -> str:
    return f"{version.dataset.name}@{version.number}"
