from dataclasses import dataclass
from uuid import UUID

from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class ModelVersionRegistered(Event):
    """A model has a new version."""

    name = "model.registered"

    model_id: UUID
    version_id: UUID
    project_id: UUID

    @property
    def topics(self) -> list[str]:
        return [f"project.{self.project_id}"]
