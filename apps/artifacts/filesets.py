"""Named files that belong together: a dataset version's, a model version's, a run's outputs."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from agents.protocol.specs import FileRef
from apps.artifacts import disposition, paths, selectors, tickets
from apps.common.errors import DomainError
from apps.projects.models import Project


class ArtifactUnknown(DomainError):
    """A file whose bytes the project does not hold."""

    status = 422


class UploadUnknown(DomainError):
    """An upload that is not the project's, or is past its time."""

    status = 422


class UploadUnfinished(DomainError):
    """An upload whose bytes are not the project's yet."""


def of_uploads(project: Project, placed: Sequence[tuple[UUID, str]]) -> list[FileRef]:
    """The files that finished uploads make under the paths given to them."""
    uploads = selectors.uploads_by_id(project, [upload for upload, _ in placed])
    files = []
    for upload_id, path in placed:
        upload = uploads.get(upload_id)
        if upload is None:
            raise UploadUnknown(upload=str(upload_id), path=path)
        if upload.artifact is None:
            raise UploadUnfinished(upload=str(upload_id), path=path)
        artifact = upload.artifact
        files.append(FileRef(path=path, digest=artifact.digest, size=artifact.size))
    return files


def checked(project: Project, files: Sequence[FileRef]) -> list[FileRef]:
    """The files with composed paths, sorted; raises unless the project holds their very bytes."""
    composed = [FileRef(path=paths.composed(f.path), digest=f.digest, size=f.size) for f in files]
    paths.check([file.path for file in composed])
    held = selectors.sizes(project, {file.digest for file in composed})
    for file in composed:
        if held.get(file.digest) != file.size:
            raise ArtifactUnknown(digest=file.digest, path=file.path)
    return sorted(composed, key=lambda file: file.path)


def changes(before: Iterable[FileRef], after: Iterable[FileRef]) -> dict[str, int]:
    """How many files were added, removed and changed from one set to another."""
    old = {file.path: file.digest for file in before}
    new = {file.path: file.digest for file in after}
    return {
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
        "changed": sum(old[path] != new[path] for path in old.keys() & new.keys()),
    }


def rows(files: Iterable[FileRef]) -> list[dict[str, Any]]:
    """What a JSON column keeps of files."""
    return [{"path": file.path, "digest": file.digest, "size": file.size} for file in files]


def refs(stored: Iterable[dict[str, Any]]) -> list[FileRef]:
    """The inverse of ``rows``."""
    return [FileRef(**row) for row in stored]


def shown(files: Iterable[FileRef], *, holder: UUID) -> list[dict[str, Any]]:
    """Files as an answer tells of them: each with an address that its holder may fetch it from."""
    return [{**row, "url": url(FileRef(**row), holder=holder)} for row in rows(files)]


def url(file: FileRef, *, holder: UUID) -> str:
    return tickets.download_url(
        digest=file.digest,
        size=file.size,
        holder=holder,
        filename=file.path.rpartition("/")[2],
        media_type=disposition.media_type_of(file.path),
    )


def manifest_sha256(files: Sequence[FileRef]) -> str:
    """The sha256 of the canonical JSON (RFC 8785) of sorted files, which anybody can repeat.

    Equal for equal sets of files, whoever sent them and when.
    """
    canonical = [{"digest": f.digest, "path": f.path, "size": f.size} for f in files]
    return hashlib.sha256(msgspec.json.encode(canonical)).hexdigest()
