"""Who is asking: a person, or a run with its own token."""

from dataclasses import dataclass
from uuid import UUID

from apps.accounts.models import User
from apps.common.actors import Actor, ActorKind


@dataclass(frozen=True)
class RunPrincipal:
    """A job's run, which sees its own project and nothing else."""

    run_id: UUID
    project_id: UUID

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_operator = False

    @property
    def id(self) -> UUID:
        return self.run_id

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.RUN, self.run_id, f"run {self.run_id}")


Principal = User | RunPrincipal
