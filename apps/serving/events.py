from dataclasses import dataclass
from uuid import UUID

from apps.common.events import Event

ROUTES = "routes"  # the topic on which gateways hear that what they route by has changed


@dataclass(frozen=True, kw_only=True)
class EndpointMoved(Event):
    """Something about an endpoint has changed: what is wanted, a replica, a key."""

    name = "endpoint.moved"

    endpoint_id: UUID
    project_id: UUID

    @property
    def topics(self) -> list[str]:
        return [f"endpoint.{self.endpoint_id}", f"project.{self.project_id}", ROUTES]
