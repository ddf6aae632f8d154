"""What a run left, and what is made of it. Foreign bytes: typed, bounded, never executed.

Three files mean something (`agents.protocol.results`): ``signature.json`` makes the outputs a model
version, ``evaluation.json`` is kept with that version and the dataset it was measured on,
``profile.json`` says what an imported dataset is. All other files are just kept.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import DataError

from agents.protocol.base import Reason
from agents.protocol.results import (
    EVALUATION_FILE,
    MAX_RESULT_BYTES,
    PROFILE_FILE,
    SIGNATURE_FILE,
    decode_evaluation,
    decode_profile,
    decode_signature,
)
from agents.protocol.specs import FileRef
from agents.protocol.workloads import Cause
from apps.artifacts import filesets, paths, storage
from apps.artifacts.models import Artifact
from apps.common.actors import SYSTEM
from apps.common.errors import DomainError
from apps.datasets import services as datasets
from apps.jobs import specs
from apps.jobs.models import Job, JobKind, Run, RunOutput
from apps.projects.models import Project
from apps.registry import services as registry
from apps.registry.models import ModelVersion

T = TypeVar("T")


class Unusable(Exception):
    """What a run left cannot be what it has to be."""

    def __init__(self, reason: Reason, cause: Cause) -> None:
        super().__init__(reason.code, reason.params)
        self.reason = reason
        self.cause = cause


def keep(*, run: Run, project: Project, stored: Sequence[dict[str, Any]]) -> dict[str, FileRef]:
    """Note a run's files, by path. Their bytes must have been handed in as the project's own:
    a digest alone, which a node may have from anywhere, gives nobody a file."""
    if not stored:
        return {}
    try:
        files = filesets.checked(project, filesets.refs(stored))
    except DomainError as refusal:
        reason = Reason(code=refusal.code, params=refusal.params)
        cause = (
            Cause.ENVIRONMENT if isinstance(refusal, filesets.ArtifactUnknown) else Cause.USER_CODE
        )
        raise Unusable(reason, cause) from refusal
    held = Artifact.objects.filter(project=project, digest__in={file.digest for file in files})
    artifacts = {artifact.digest: artifact for artifact in held}
    RunOutput.objects.bulk_create(
        (RunOutput(run=run, path=f.path, artifact=artifacts[f.digest]) for f in files),
        ignore_conflicts=True,
    )
    return {file.path: file for file in files}


def interpret(*, job: Job, run: Run, files: dict[str, FileRef], at: datetime) -> None:
    """Make of the files what their names promise; raises ``Unusable``."""
    if job.kind == JobKind.IMPORT:
        _complete_import(job, files, at=at)
    elif job.kind == JobKind.EVALUATE:
        _evaluate(run, files, at=at)
    elif SIGNATURE_FILE in files:
        _register(job, run, files, at=at)
    elif job.kind == JobKind.TRAIN:
        raise Unusable(_missing(SIGNATURE_FILE), Cause.ENVIRONMENT)


def _complete_import(job: Job, files: dict[str, FileRef], *, at: datetime) -> None:
    profile = _read(files, PROFILE_FILE, decode_profile)
    thumbnails = {}
    for path in (path for of_class in profile.thumbnails.values() for path in of_class):
        if (kept := paths.composed(path)) not in files:
            raise Unusable(_missing(path), Cause.ENVIRONMENT)
        thumbnails[path] = files[kept].digest
    with _taken(PROFILE_FILE):
        datasets.complete_import(
            version_id=UUID(job.config["version"]),
            profile=profile,
            thumbnails=thumbnails,
            at=at,
        )


def _register(job: Job, run: Run, files: dict[str, FileRef], *, at: datetime) -> None:
    signature = _read(files, SIGNATURE_FILE, decode_signature)
    with _taken(SIGNATURE_FILE):
        version = registry.register_version(
            project=job.project,
            model_name=job.config["model"],
            run_id=run.id,
            files=list(files.values()),
            signature=signature,
            actor=SYSTEM,
            at=at,
        )
    RunOutput.objects.filter(run=run).update(model_version=version)
    if EVALUATION_FILE in files:
        _record(version, run, files, at=at)


def _evaluate(run: Run, files: dict[str, FileRef], *, at: datetime) -> None:
    read = run.inputs.filter(model_version__isnull=False)
    version = ModelVersion.objects.select_related("model__project").get(used_by__in=read)
    _record(version, run, files, at=at)


def _record(version: ModelVersion, run: Run, files: dict[str, FileRef], *, at: datetime) -> None:
    """Keep what a run has measured on the first dataset that it read; nothing if it read none."""
    read = run.inputs.filter(dataset_version__isnull=False).select_related(
        "dataset_version__dataset"
    )
    measured_on = read.order_by("id").first()
    if measured_on is None or measured_on.dataset_version is None:
        return
    evaluation = _read(files, EVALUATION_FILE, decode_evaluation)
    pictures = {paths.composed(example.path) for example in evaluation.examples}
    if missing := sorted(pictures - files.keys()):
        raise Unusable(_missing(missing[0]), Cause.ENVIRONMENT)
    with _taken(EVALUATION_FILE):
        registry.record_evaluation(
            version=version,
            run_id=run.id,
            dataset_version_id=measured_on.dataset_version.id,
            dataset=specs.dataset_ref(measured_on.dataset_version),
            result=evaluation,
            pictures=[files[path] for path in sorted(pictures)],
            at=at,
        )


def _read(files: dict[str, FileRef], path: str, decode: Callable[[bytes], T]) -> T:
    """A result file, typed."""
    if path not in files:
        raise Unusable(_missing(path), Cause.ENVIRONMENT)
    file = files[path]
    if file.size > MAX_RESULT_BYTES:
        params = {"file": path, "size": file.size, "most": MAX_RESULT_BYTES}
        raise Unusable(Reason(code="result_too_large", params=params), Cause.USER_CODE)
    try:
        body = storage.read_small(file.digest, MAX_RESULT_BYTES)
    except DomainError as error:  # the store has lost or damaged it
        raise Unusable(Reason(code=error.code, params=error.params), Cause.ENVIRONMENT) from error
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        params = {"file": path, "why": str(error)[:500]}
        raise Unusable(Reason(code="result_unreadable", params=params), Cause.USER_CODE) from error


@contextmanager
def _taken(path: str) -> Iterator[None]:
    """What a lower app, or the database, refuses in here is the fault of this result file."""
    try:
        yield
    except DomainError as error:
        why: Any = {"code": error.code, "params": error.params}
        raise _refused(path, why) from error
    except DataError as error:
        raise _refused(path, str(error)[:500]) from error


def _refused(path: str, why: Any) -> Unusable:
    params = {"file": path, "why": why}
    return Unusable(Reason(code="result_refused", params=params), Cause.USER_CODE)


def _missing(path: str) -> Reason:
    return Reason(code="result_missing", params={"file": path})
