from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.artifacts import storage
from apps.artifacts.models import Artifact, Damage, Scrub, Upload
from apps.projects.models import Project


def artifact(project: Project, digest: str) -> Artifact | None:
    """The project's own bytes of this digest, if it holds them."""
    return Artifact.objects.filter(project=project, digest=digest).first()


def sizes(project: Project, digests: Collection[str]) -> dict[str, int]:
    """Those of the digests that the project holds, with their sizes."""
    held = Artifact.objects.filter(project=project, digest__in=set(digests))
    return dict(held.values_list("digest", "size"))


def uploads_in(project: Project) -> QuerySet[Upload]:
    return Upload.objects.filter(project=project).select_related("artifact")


def uploads_by_id(project: Project, ids: Collection[UUID]) -> dict[UUID, Upload]:
    """Those of the uploads that are the project's."""
    return {upload.id: upload for upload in uploads_in(project).filter(id__in=set(ids))}


def upload_under_way(
    project: Project, *, holder: UUID, digest: str, size: int, at: datetime
) -> Upload | None:
    """The newest upload of these bytes that its holder may still go on with."""
    return (
        uploads_in(project)
        .filter(holder=holder, digest=digest, size=size, finished_at=None, expires_at__gt=at)
        .order_by("-created_at")
        .first()
    )


def is_held(digest: str) -> bool:
    """Whether any project holds these bytes."""
    return Artifact.objects.filter(digest=digest).exists()


def unheld(*, older_than: float) -> list[str]:
    """Digests of old bytes that no project held a moment ago."""
    found = []
    batch: list[str] = []
    for digest, status in storage.store().blobs():
        if status.st_mtime <= older_than:
            batch.append(digest)
        if len(batch) == 1000:
            found += _without_holder(batch)
            batch = []
    return found + _without_holder(batch)


def _without_holder(digests: list[str]) -> list[str]:
    held = set(Artifact.objects.filter(digest__in=digests).values_list("digest", flat=True))
    return [digest for digest in digests if digest not in held]


def damaged_in(project_id: UUID) -> list[tuple[Artifact, datetime]]:
    """What a project holds whose bytes are damaged, and when that was found."""
    found = dict(Damage.objects.values_list("digest", "created_at"))
    held = Artifact.objects.filter(project_id=project_id, digest__in=found).order_by("id")
    return [(artifact, found[artifact.digest]) for artifact in held]


@dataclass(frozen=True)
class Space:
    """What the store holds, and what of it could go."""

    blobs: int
    blob_bytes: int
    reclaimable: int
    reclaimable_bytes: int
    uploads: int
    free_bytes: int
    damaged: int
    scrubbed_at: datetime | None


def space() -> Space:
    store = storage.store()
    sizes = {digest: status.st_size for digest, status in store.blobs()}
    useless = _without_holder(list(sizes))
    scrub = Scrub.objects.first()
    return Space(
        blobs=len(sizes),
        blob_bytes=sum(sizes.values()),
        reclaimable=len(useless),
        reclaimable_bytes=sum(sizes[digest] for digest in useless),
        uploads=Upload.objects.filter(finished_at=None).count(),
        free_bytes=store.free_bytes(),
        damaged=Damage.objects.count(),
        scrubbed_at=scrub.ended_at if scrub else None,
    )
