from dataclasses import dataclass
from uuid import UUID

from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class VersionPublished(Event):
    """New files are there and wait for an import to find out what they are."""

    name = "dataset.published"

    version_id: UUID
    project_id: UUID

    @property
    def topics(self) -> list[str]:
        return [f"project.{self.project_id}"]


@dataclass(frozen=True, kw_only=True)
class DatasetMoved(Event):
    """A version's import has ended, well or badly."""

    name = "dataset.moved"

    dataset_id: UUID
    version_id: UUID
    project_id: UUID
    state: str

    @property
    def topics(self) -> list[str]:
        return [f"project.{self.project_id}"]
