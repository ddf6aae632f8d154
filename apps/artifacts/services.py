"""Bytes into a project and out of the way again. The bytes themselves pass `transfer`."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.db import transaction

from apps.artifacts import selectors, storage
from apps.artifacts.models import Artifact, Upload
from apps.audit import services as audit
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, NotFound
from apps.projects.models import Project

UPLOAD_LIFETIME = timedelta(days=3)
MAX_BYTES = 2**50
_CHUNK_BYTES = 1 << 20


class SizeOutOfRange(DomainError):
    """Less than nothing, or more than a file can be."""

    status = 422


class DigestMalformed(DomainError):
    """Not the hexadecimal digits of a sha256."""

    status = 422


@transaction.atomic
def start_upload(
    *, project: Project, holder: UUID, filename: str, size: int, digest: str, at: datetime
) -> Upload:
    """Make room for bytes on their way in; already finished if the project holds them.

    Only the project's own bytes count: what another project has must be sent again, or a digest
    alone would tell who else has the file, and fetch it.
    """
    if not 0 <= size <= MAX_BYTES:
        raise SizeOutOfRange(most=MAX_BYTES)
    if digest and not storage.DIGEST.fullmatch(digest):
        raise DigestMalformed
    upload = Upload(
        project=project,
        holder=holder,
        filename=filename[:255],
        size=size,
        digest=digest,
        expires_at=at + UPLOAD_LIFETIME,
    )
    held = selectors.artifact(project, digest) if digest else None
    if held and held.size == size and storage.has(digest):
        upload.artifact, upload.finished_at = held, at
    elif size > storage.store().free_bytes():
        raise storage.StoreFull
    upload.save()
    return upload


@transaction.atomic
def finish_upload(*, upload_id: UUID, at: datetime, actor: Actor = SYSTEM) -> Artifact:
    """Give a project the bytes of a complete upload; a repeat gives the same artifact.

    ``UploadIncomplete`` says how many bytes are there, ``DigestMismatch`` that they are others.
    """
    upload = (
        Upload.objects.select_for_update(of=("self",))
        .select_related("project", "artifact")
        .filter(pk=upload_id)
        .first()
    )
    if upload is None:
        raise NotFound
    if upload.artifact is not None:
        return upload.artifact
    sealed = storage.store().seal(upload.id, size=upload.size, declared=upload.digest)
    artifact = _hold(upload.project, sealed.digest, sealed.size, actor=actor)
    upload.artifact, upload.finished_at = artifact, at
    upload.save(update_fields=["artifact", "finished_at"])
    return artifact


@transaction.atomic
def adopt(
    *, project: Project, digest: str, size: int, at: datetime, actor: Actor = SYSTEM
) -> Artifact:
    """Give a project bytes that are in the store, on the caller's word that they are its own."""
    stored = storage.store().size(digest)
    if stored is None:
        raise storage.BytesMissing(digest=digest)
    if stored != size:
        raise storage.BytesDamaged(digest=digest)
    return _hold(project, digest, size, actor=actor)


def keep_file(*, project: Project, file: Path, actor: Actor = SYSTEM) -> Artifact:
    """Give a project a copy of one of the server's own files; a repeat gives the same artifact."""
    incoming = storage.store().receive(uuid4())
    try:
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                incoming.write(chunk)
        sealed = incoming.seal("")
    finally:
        incoming.close()
    with transaction.atomic():
        return _hold(project, sealed.digest, sealed.size, actor=actor)


def bytes_arrived(upload: Upload) -> int:
    """How far an upload has come."""
    return upload.size if upload.finished_at else storage.store().offset(upload.id)


def sweep_uploads(*, at: datetime) -> None:
    """Forget uploads past their time, and bytes on their way in that no upload speaks of."""
    Upload.objects.filter(expires_at__lte=at).delete()
    store = storage.store()
    kept = set(store.uploads())  # before the rows: an upload's row is there before its first byte
    known = set(Upload.objects.filter(id__in=kept).values_list("id", flat=True))
    for upload in kept - known:
        store.discard(upload)


def _hold(project: Project, digest: str, size: int, *, actor: Actor) -> Artifact:
    artifact, created = Artifact.objects.get_or_create(
        project=project, digest=digest, defaults={"size": size}
    )
    if created:
        audit.record(actor, "artifact.add", artifact, project=project, digest=digest, size=size)
    return artifact
