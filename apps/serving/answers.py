"""Which endpoints are called like a text."""

from apps.common.answers import Found, HasId, called, finds
from apps.serving.models import Endpoint


@finds
def endpoints_called(project: HasId, text: str) -> list[Found]:
    rows = called(Endpoint.objects.filter(project_id=project.id, deleted_at=None), text)
    return [Found(type="endpoint", id=row.id, name=row.name) for row in rows]
