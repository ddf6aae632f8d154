"""Datasets and their immutable versions. Files come in through `artifacts`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from agents.protocol.base import Reason
from agents.protocol.results import Profile
from agents.protocol.specs import FileRef
from apps.accounts.models import User
from apps.artifacts import filesets, names
from apps.artifacts import selectors as artifacts
from apps.artifacts import services as depot
from apps.audit import services as audit
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, NotFound
from apps.common.events import publish
from apps.common.jsonb import storable
from apps.datasets.events import DatasetMoved, VersionPublished
from apps.datasets.models import Dataset, DatasetVersion, VersionState
from apps.projects.models import Project


class ExampleMissing(DomainError):
    """This installation came without the file of an example."""

    status = 404


@dataclass(frozen=True)
class Example:
    """Data to try an installation with: a file within ``EXAMPLES_DIR``."""

    file: str
    description: str


EXAMPLES = {"digits": Example("digits/digits.zip", "Handwritten digits from MNIST")}


@transaction.atomic
def publish_version(
    *,
    project: Project,
    dataset_name: str,
    files: Sequence[FileRef],
    user: User | None,
    actor: Actor,
    at: datetime,
    description: str = "",
) -> DatasetVersion:
    """Make a version of these files, whose bytes the project must hold; an import looks at it next.

    The files that the newest version has make no new one, unless its import failed.
    """
    names.check(dataset_name)
    checked = filesets.checked(project, files)
    digest = filesets.manifest_sha256(checked)
    dataset = _dataset(project, dataset_name, description, actor=actor)
    newest = dataset.versions.order_by("-number").first()
    if newest and newest.manifest_sha256 == digest and newest.state != VersionState.FAILED:
        return newest
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=newest.number + 1 if newest else 1,
        parent=newest,
        files=filesets.rows(checked),
        manifest_sha256=digest,
        size=sum(file.size for file in checked),
        file_count=len(checked),
        changes=filesets.changes(filesets.refs(newest.files), checked) if newest else None,
        created_by=user,
    )
    audit.record(
        actor,
        "dataset.publish",
        version,
        project=project,
        dataset=dataset.name,
        number=version.number,
        manifest_sha256=digest,
    )
    publish(VersionPublished(version_id=version.id, project_id=project.id))
    return version


def publish_example(
    *, project: Project, name: str, user: User | None, actor: Actor, at: datetime
) -> DatasetVersion:
    """Publish the example of this name as an upload would; a repeat changes nothing."""
    example = EXAMPLES.get(name)
    if example is None:
        raise NotFound
    file = Path(settings.EXAMPLES_DIR) / example.file
    if not file.is_file():
        raise ExampleMissing(name=name)
    kept = depot.keep_file(project=project, file=file, actor=actor)
    return publish_version(
        project=project,
        dataset_name=name,
        files=[FileRef(path=file.name, digest=kept.digest, size=kept.size)],
        user=user,
        actor=actor,
        at=at,
        description=example.description,
    )


@transaction.atomic
def complete_import(
    *,
    version_id: UUID,
    profile: Profile,
    thumbnails: dict[str, str],
    at: datetime,
    actor: Actor = SYSTEM,
) -> DatasetVersion:
    """Keep what an import found out: the version is ready. Late and repeated words change nothing.

    ``thumbnails`` are digests by path, of bytes that the project holds.
    """
    version = _importing(version_id)
    if version.state != VersionState.IMPORTING:
        return version
    project = version.dataset.project
    sizes = artifacts.sizes(project, set(thumbnails.values()))
    pictures = [
        FileRef(path=path, digest=digest, size=sizes.get(digest, -1))
        for path, digest in thumbnails.items()
    ]
    version.thumbnails = filesets.rows(filesets.checked(project, pictures) if pictures else [])
    version.kind = profile.kind
    version.profile = storable(msgspec.to_builtins(profile))
    return _settle(version, VersionState.READY, actor=actor, at=at)


@transaction.atomic
def fail_import(
    *, version_id: UUID, reason: Reason, at: datetime, actor: Actor = SYSTEM
) -> DatasetVersion:
    """Note why the files cannot be used. Late and repeated words change nothing."""
    version = _importing(version_id)
    if version.state != VersionState.IMPORTING:
        return version
    version.reason = storable({"code": reason.code, "params": reason.params})
    return _settle(version, VersionState.FAILED, actor=actor, at=at)


def _dataset(project: Project, name: str, description: str, *, actor: Actor) -> Dataset:
    """The dataset of this name, locked, so that its versions are numbered one after another."""
    dataset, created = Dataset.objects.select_for_update().get_or_create(
        project=project, name=name, defaults={"description": description}
    )
    if created:
        audit.record(actor, "dataset.create", dataset, name=name)
    elif description and description != dataset.description:
        dataset.description = description
        dataset.save(update_fields=["description"])
        audit.record(actor, "dataset.describe", dataset, name=name)
    return dataset


def _importing(version_id: UUID) -> DatasetVersion:
    version = (
        DatasetVersion.objects.select_for_update(of=("self",))
        .select_related("dataset__project")
        .filter(pk=version_id)
        .first()
    )
    if version is None:
        raise NotFound
    return version


def _settle(
    version: DatasetVersion, state: VersionState, *, actor: Actor, at: datetime
) -> DatasetVersion:
    version.state, version.settled_at = state, at
    version.save(update_fields=["state", "settled_at", "reason", "kind", "profile", "thumbnails"])
    project = version.dataset.project
    audit.record(actor, f"dataset.{state.value}", version, project=project)
    publish(
        DatasetMoved(
            dataset_id=version.dataset_id,
            version_id=version.id,
            project_id=project.id,
            state=state.value,
        )
    )
    return version
