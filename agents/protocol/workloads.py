"""The life of a workload, as both sides understand it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class WorkloadState(StrEnum):
    PENDING = "pending"  # waiting for room
    ASSIGNED = "assigned"  # room reserved, command on its way
    STARTING = "starting"  # approved; the agent is fetching inputs
    RUNNING = "running"
    STOPPING = "stopping"  # asked to stop, grace period running
    FINISHING = "finishing"  # process gone, devices free, outputs and log tail going up
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"  # its node stayed silent past the policy's deadline

    def may_become(self, other: "WorkloadState") -> bool:
        return other in TRANSITIONS[self]

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self]

    @property
    def holds_room(self) -> bool:
        """Whether CPU, memory and devices of the node are kept for it."""
        return self in HOLDING


_S = WorkloadState

# The database's trigger holds the same edges; tests/protocol compares the two.
TRANSITIONS: Mapping[WorkloadState, frozenset[WorkloadState]] = MappingProxyType(
    {
        _S.PENDING: frozenset({_S.ASSIGNED, _S.STOPPED}),
        _S.ASSIGNED: frozenset({_S.PENDING, _S.STARTING, _S.STOPPING, _S.FAILED, _S.LOST}),
        _S.STARTING: frozenset({_S.RUNNING, _S.STOPPING, _S.FAILED, _S.LOST}),
        _S.RUNNING: frozenset({_S.STOPPING, _S.FINISHING, _S.FAILED, _S.LOST}),
        _S.STOPPING: frozenset({_S.FINISHING, _S.STOPPED, _S.FAILED, _S.LOST}),
        _S.FINISHING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.STOPPED, _S.LOST}),
        _S.SUCCEEDED: frozenset(),
        _S.FAILED: frozenset(),
        _S.STOPPED: frozenset(),
        _S.LOST: frozenset(),
    }
)

FINAL: frozenset[WorkloadState] = frozenset(s for s in WorkloadState if s.is_final)
HOLDING: frozenset[WorkloadState] = frozenset({_S.ASSIGNED, _S.STARTING, _S.RUNNING, _S.STOPPING})


class Cause(StrEnum):
    """What kind of thing ended a workload badly; retry policies speak of these."""

    USER_CODE = "user_code"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_LOST = "node_lost"
    HARDWARE = "hardware"
    PREEMPTED = "preempted"
    ENVIRONMENT = "environment"  # inputs, requirements, disk, approval: not the user's code
    INTERRUPTED = "interrupted"  # the installation was stopped; the job runs again
    STOPPED = "stopped"  # somebody asked for it
