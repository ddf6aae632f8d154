from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from apps.artifacts.models import Artifact, Damage, Upload
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


def damaged_in(project_id: UUID) -> list[tuple[Artifact, datetime]]:
    """What a project holds whose bytes are damaged, and when that was found."""
    found = dict(Damage.objects.values_list("digest", "created_at"))
    held = Artifact.objects.filter(project_id=project_id, digest__in=found).order_by("id")
    return [(artifact, found[artifact.digest]) for artifact in held]
