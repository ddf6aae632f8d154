"""Facts of gangs and workloads."""

from dataclasses import dataclass
from uuid import UUID

from agents.protocol.workloads import WorkloadState
from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class GangQueued(Event):
    """A gang waits for room: it is new, or was taken back from a node that fell silent."""

    name = "gang.queued"

    gang_id: UUID


@dataclass(frozen=True, kw_only=True)
class GangWaits(Event):
    """Why a gang is not placed yet has become another reason."""

    name = "gang.waits"

    gang_id: UUID
    owner_kind: str
    owner_id: UUID
    project_id: UUID


@dataclass(frozen=True, kw_only=True)
class RoomFreed(Event):
    """A node has more room than before."""

    name = "room.freed"

    node_id: UUID


@dataclass(frozen=True, kw_only=True)
class WorkloadMoved(Event):
    """A workload is in another state."""

    name = "workload.moved"

    workload_id: UUID
    gang_id: UUID
    owner_kind: str
    owner_id: UUID
    project_id: UUID
    state: WorkloadState

    @property
    def topics(self) -> list[str]:
        return [f"workload.{self.workload_id}"]
