"""The files that a workload leaves behind."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents.protocol.rest import (
    OutputAnswer,
    OutputRequest,
)
from agents.protocol.workloads import FINAL
from apps.artifacts import selectors as held
from apps.artifacts import services as artifacts
from apps.artifacts import storage, tickets
from apps.common.errors import DomainError
from apps.projects.models import Project
from apps.workloads.models import Workload
from apps.workloads.services import moves


class OutputNotThere(DomainError):
    """Not every byte of the output is here yet: the node is to offer it again."""

    status = 503


@transaction.atomic
def request_output(
    *, workload_id: UUID, node_id: UUID, request: OutputRequest, at: datetime
) -> OutputAnswer:
    """Where a node may send an output's bytes to, unless the project has them already."""
    project = _project_of_live(workload_id, node_id, request.fence)
    upload = held.upload_under_way(
        project, holder=node_id, digest=request.digest, size=request.size, at=at
    ) or artifacts.start_upload(
        project=project,
        holder=node_id,
        filename="",
        size=request.size,
        digest=request.digest,
        at=at,
    )
    if upload.finished_at:
        return OutputAnswer(stored=True)
    return OutputAnswer(stored=False, upload_url=tickets.upload_url(upload=upload))


@transaction.atomic
def finish_output(
    *, workload_id: UUID, node_id: UUID, digest: str, fence: int, at: datetime
) -> None:
    """Give the project an output whose bytes have all been sent; a repeat does nothing."""
    project = _project_of_live(workload_id, node_id, fence)
    if held.artifact(project, digest):
        return
    uploads = held.uploads_in(project).filter(holder=node_id, digest=digest)
    upload = uploads.order_by("-created_at").first()
    if upload is None:
        raise OutputNotThere
    try:
        artifacts.finish_upload(upload_id=upload.id, at=at)
    except (storage.UploadIncomplete, storage.UploadBusy) as refusal:
        raise OutputNotThere from refusal


def _project_of_live(workload_id: UUID, node_id: UUID, fence: int) -> Project:
    workload = (
        Workload.objects.filter(id=workload_id, node_id=node_id, gang__fence=fence)
        .exclude(state__in=[state.value for state in FINAL])
        .select_related("gang__project")
        .first()
    )
    if workload is None:
        raise moves.StaleFence(workload=str(workload_id))
    return workload.gang.project
