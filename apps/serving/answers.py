"""Which endpoints need somebody, or are called like a text."""

from collections.abc import Iterator
from datetime import datetime

from apps.common import reasons
from apps.common.answers import MOST_ITEMS, Found, HasId, Item, Subject, attends, called, finds
from apps.serving import selectors
from apps.serving.models import Endpoint


@attends
def failing(project: HasId, at: datetime) -> Iterator[Item]:
    """Endpoints whose newest deployment was given up."""
    given_up = selectors.existing().filter(
        project_id=project.id, deleted_at=None, deployment__given_up_at__isnull=False
    )
    for view in selectors.views(list(given_up.order_by("-created_at")[:MOST_ITEMS]), at=at):
        since = view.deployment.given_up_at
        reason = reasons.from_row(view.reason)
        if since is not None and reason is not None:
            yield Item(
                kind="endpoint_failed",
                severity="error",
                since=since,
                subject=Subject(type="endpoint", id=view.endpoint.id, name=view.endpoint.name),
                reason=reason,
                action="open_endpoint",
            )


@finds
def endpoints_called(project: HasId, text: str) -> list[Found]:
    rows = called(Endpoint.objects.filter(project_id=project.id, deleted_at=None), text)
    return [Found(type="endpoint", id=row.id, name=row.name) for row in rows]
