"""The topics there are, and who may watch them."""

import re
from uuid import UUID

from apps.accounts.models import User
from apps.accounts.principals import Principal
from apps.fleet.models import Node
from apps.jobs.models import Job
from apps.projects import selectors as projects
from apps.serving.models import Endpoint
from apps.workloads.models import Workload

# a UUID as we write it: the same topic under another spelling would never be told anything
_OF_ONE = re.compile(
    r"(project|job|workload|endpoint|node)\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
_OF_ALL = frozenset({"fleet", "fleet.live"})


def may_watch(principal: Principal, topic: str) -> bool:
    """Whether somebody may watch a topic; what they may not see might as well not be there."""
    if topic in _OF_ALL:
        return isinstance(principal, User)
    match = _OF_ONE.fullmatch(topic)
    if match is None:
        return False
    kind, id = match[1], UUID(match[2])
    if kind == "node":
        return isinstance(principal, User) and Node.objects.filter(pk=id).exists()
    project_id = _project_of(kind, id)
    return project_id is not None and projects.may_see(principal, project_id)


def _project_of(kind: str, id: UUID) -> UUID | None:
    match kind:
        case "project":
            return id
        case "job":
            return Job.objects.filter(pk=id).values_list("project_id", flat=True).first()
        case "endpoint":
            endpoints = Endpoint.objects.filter(pk=id, deleted_at=None)
            return endpoints.values_list("project_id", flat=True).first()
        case _:
            rows = Workload.objects.filter(pk=id).values_list("gang__project_id", flat=True)
            return rows.first()
