"""Who does something. Every write service takes one."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    USER = "user"
    RUN = "run"  # a job's own token
    NODE = "node"
    SYSTEM = "system"  # a sweep


@dataclass(frozen=True)
class Actor:
    kind: ActorKind
    id: UUID | None
    name: str


SYSTEM = Actor(ActorKind.SYSTEM, None, "datahall")
