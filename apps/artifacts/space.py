"""What the store holds, and what of it nobody needs."""

from dataclasses import dataclass
from datetime import datetime

from apps.artifacts import storage
from apps.artifacts.models import Artifact, Damage, Scrub, Upload


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


def now() -> Space:
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
