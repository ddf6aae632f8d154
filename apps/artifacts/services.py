"""Bytes into a project and out of the way again. The bytes themselves pass `transfer`."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from django.db import connection, transaction

from apps.artifacts import selectors, space, storage
from apps.artifacts.models import Artifact, Damage, Scrub, Upload
from apps.audit import services as audit
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, NotFound
from apps.projects.models import Project

log = logging.getLogger(__name__)

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
    _lock_digest(digest)
    if not storage.has(digest):
        raise storage.BytesMissing(digest=digest)
    artifact, created = Artifact.objects.get_or_create(
        project=project, digest=digest, defaults={"size": size}
    )
    if created:
        audit.record(actor, "artifact.add", artifact, project=project, digest=digest, size=size)
    return artifact


# --- what nobody holds any more ------------------------------------------------------------------

GRACE = timedelta(hours=24)
COLLECTOR_LOCK = 0x636F6C6C  # held, shared, by who copies the store; never changes


def collect_garbage(*, at: datetime) -> int:
    """Remove bytes that no project holds, when they are a day old; how many bytes that gave back.

    Each is looked at again under a lock that whoever wants to hold it needs too: bytes that
    somebody came to need after they were found useless stay.
    """
    given_back = 0
    store, oldest = storage.store(), (at - GRACE).timestamp()
    for digest in space.unheld(older_than=oldest):
        with transaction.atomic():
            if not _may_collect():
                return given_back  # somebody makes a backup
            _lock_digest(digest)
            given_back += store.remove(
                digest, unless=partial(selectors.is_held, digest), older_than=oldest
            )
    return given_back


def _may_collect() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [COLLECTOR_LOCK])
        return bool(cursor.fetchone()[0])


def _lock_digest(digest: str) -> None:
    """Until the transaction ends nobody else comes to hold these bytes, or removes them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, %s)",
            [COLLECTOR_LOCK & 0x7FFFFFFF, int(digest[:8], 16) - 2**31],
        )


# --- whether the bytes are still what they were --------------------------------------------------


def scrub(*, at: datetime, most_bytes: int) -> int:
    """Read the next of the stored bytes and set aside what is damaged; how many bytes were read."""
    store = storage.store()
    row, _ = Scrub.objects.get_or_create(id=1, defaults={"began_at": at})
    read = 0
    for digest, found in store.blobs(after=row.through):
        if read and read + found.st_size > most_bytes:
            break
        read += found.st_size
        row.through = digest
        if not store.is_whole(digest):
            note_damage(digest=digest, at=at)
    else:
        row.through, row.began_at, row.ended_at = "", at, at
    row.save()
    return read


def note_damage(*, digest: str, at: datetime) -> None:
    """Set damaged bytes aside, so that nobody is given them, and remember that."""
    log.error("the stored bytes of %s are damaged; they are set aside", digest)
    storage.store().set_aside(digest)
    Damage.objects.get_or_create(digest=digest)


def forget_mended() -> None:
    """Damage is over when the bytes are there again."""
    for damage in Damage.objects.all():
        if storage.has(damage.digest):
            damage.delete()


@dataclass
class Findings:
    """What rows and bytes say of one another."""

    artifacts: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    missing: list[str] = field(default_factory=list)  # digests that rows speak of
    damaged: list[str] = field(default_factory=list)  # of another size or hash than they should be
    unheld: int = 0
    unheld_bytes: int = 0

    @property
    def mismatches(self) -> int:
        return len(self.missing) + len(self.damaged)


def check_store(*, hashing: bool) -> Findings:
    """Compare rows with bytes, and bytes with their names if that may take its time."""
    findings, store = Findings(), storage.store()
    sizes = dict(Artifact.objects.values_list("digest", "size"))
    findings.artifacts = len(sizes)
    there = set()
    for digest, found in store.blobs():
        there.add(digest)
        findings.blobs += 1
        findings.blob_bytes += found.st_size
        if digest not in sizes:
            findings.unheld += 1
            findings.unheld_bytes += found.st_size
        elif sizes[digest] != found.st_size or (hashing and not store.is_whole(digest)):
            findings.damaged.append(digest)
    findings.missing = sorted(sizes.keys() - there)
    return findings
