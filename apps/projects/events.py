from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class MembersChanged(Event):
    """Somebody came, left, or has another role: what they may see must be looked up again."""

    name: ClassVar[str] = "members.changed"

    project_id: UUID

    @property
    def topics(self) -> list[str]:
        return [f"project.{self.project_id}"]
