from dataclasses import dataclass
from uuid import UUID

from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class JobMoved(Event):
    """Something about a job has changed: its state, its run's, or why it waits."""

    name = "job.moved"

    job_id: UUID
    project_id: UUID
    state: str

    @property
    def topics(self) -> list[str]:
        return [f"job.{self.job_id}", f"project.{self.project_id}"]
