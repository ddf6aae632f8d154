"""The one lock of an endpoint, and how its watchers are told."""

from uuid import UUID

from apps.common.errors import NotFound
from apps.common.events import publish
from apps.serving import selectors
from apps.serving.events import EndpointMoved
from apps.serving.models import Endpoint


def lock(endpoint_id: UUID) -> Endpoint:
    """An endpoint that is not deleted, locked; raises ``NotFound``."""
    endpoint = lock_if_there(endpoint_id)
    if endpoint is None or endpoint.deleted_at is not None:
        raise NotFound
    return endpoint


def lock_if_there(endpoint_id: UUID) -> Endpoint | None:
    # first the lock, then the reading: a join would be of before whoever held the lock was done
    locked = Endpoint.objects.select_for_update().filter(pk=endpoint_id)
    if not locked.values_list("pk").first():
        return None
    return selectors.existing().get(pk=endpoint_id)


def say_moved(endpoint: Endpoint) -> None:
    publish(EndpointMoved(endpoint_id=endpoint.id, project_id=endpoint.project_id))
