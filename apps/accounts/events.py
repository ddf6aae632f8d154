from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class AccessChanged(Event):
    """What a person or a run may see is not what it was: their sockets ask again."""

    name: ClassVar[str] = "access.changed"

    holder: UUID  # of a person or of a run

    @property
    def topics(self) -> list[str]:
        return [f"access.{self.holder}"]  # for the server's own sockets: nobody may watch it
