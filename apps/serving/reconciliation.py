"""What follows from what is wanted of an endpoint and what is there: pure rules.

A rollout starts one new replica more than are wanted, and stops an older one for each new one that
is ready, so that it never serves with less than it had and never needs more than one extra place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from agents.protocol.base import Reason
from agents.protocol.workloads import Cause
from apps.serving.models import ReplicaState

MOST_ENDS = 5
WINDOW = timedelta(minutes=10)
PAUSES_SECONDS = (0, 0, 5, 10, 20)  # before a replacement, by how many have ended in the window
EXTRA = 1  # replicas beyond what is wanted, while a rollout goes on

# ends that say nothing about what is deployed: the node or the installation was shut down
INNOCENT = frozenset({Cause.INTERRUPTED, Cause.STOPPED})
KILLED = "killed_by_signal"  # counts as user_code, and need not be: anybody can kill a process


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an endpoint is to be."""

    deployment: int  # number
    replicas: int
    tried_from: datetime  # what ended before does not count against the deployment
    given_up: bool = False


@dataclass(frozen=True, kw_only=True)
class Actual:
    """One replica, as far as the rules care."""

    id: UUID
    number: int
    deployment: int
    state: ReplicaState
    was_ready: bool = False
    asked_to_stop: bool = False
    ended_at: datetime | None = None
    cause: Cause | None = None  # of its end
    reason: Reason | None = None

    @property
    def is_live(self) -> bool:
        """It serves, or is going to."""
        return self.ended_at is None and not self.asked_to_stop


@dataclass(frozen=True)
class Decision:
    """What is to be done now."""

    start: int = 0  # replicas of the wanted deployment
    stop: tuple[UUID, ...] = ()
    give_up: Reason | None = None
    not_before: datetime | None = None  # when what is missing may be started


def decide(wanted: Wanted, actual: Sequence[Actual], now: datetime) -> Decision:
    """What to start, what to stop, and whether to give the deployment up."""
    current = [r for r in actual if r.is_live and r.deployment == wanted.deployment]
    older = [r for r in actual if r.is_live and r.deployment != wanted.deployment]
    ready = sum(r.state is ReplicaState.READY for r in current)
    ends = _ends(wanted, actual, now)
    given_up = wanted.given_up
    give_up = None if given_up else _why_give_up(ends)

    if given_up or give_up:
        stop = _first_to_go(current, len(current) - wanted.replicas)
        return Decision(stop=tuple(r.id for r in stop), give_up=give_up)

    # one that never served is of no use any more; one that did stays until it is replaced
    stop = [r for r in older if r.state is ReplicaState.STARTING]
    serving = [r for r in older if r.state is not ReplicaState.STARTING]
    leaving = _first_to_go(serving, len(serving) - max(0, wanted.replicas - ready))
    stop += leaving
    stop += _first_to_go(current, len(current) - wanted.replicas)

    staying = len(serving) - len(leaving)
    room = wanted.replicas + (EXTRA if staying else 0) - len(current) - staying
    start = max(0, min(wanted.replicas - len(current), room))
    not_before = _not_before(ends)
    if start and not_before and now < not_before:
        return Decision(stop=tuple(r.id for r in stop), not_before=not_before)
    return Decision(start=start, stop=tuple(r.id for r in stop))


def _ends(wanted: Wanted, actual: Sequence[Actual], now: datetime) -> list[Actual]:
    """The replicas whose end counts against the wanted deployment, the last one last."""
    counted = [
        replica
        for replica in actual
        if replica.deployment == wanted.deployment
        and replica.ended_at is not None
        and not replica.asked_to_stop
        and replica.cause not in INNOCENT
        and replica.ended_at >= wanted.tried_from
        and replica.ended_at > now - WINDOW
    ]
    return sorted(counted, key=lambda replica: (replica.ended_at, replica.number))


def _why_give_up(ends: Sequence[Actual]) -> Reason | None:
    for replica in ends:
        if _would_end_again(replica):
            return replica.reason or Reason(code="ended_without_reason")
    if len(ends) >= MOST_ENDS:
        minutes = int(WINDOW.total_seconds() // 60)
        return Reason(code="replicas_keep_ending", params={"count": len(ends), "minutes": minutes})
    return None


def _would_end_again(replica: Actual) -> bool:
    """Whether another one would surely end the same way: it is the fault of what is deployed.

    One that has served shows that what is deployed can serve.
    """
    killed = replica.reason is not None and replica.reason.code == KILLED
    return replica.cause is Cause.USER_CODE and not replica.was_ready and not killed


def _not_before(ends: Sequence[Actual]) -> datetime | None:
    if not ends:
        return None
    last = ends[-1].ended_at
    assert last is not None
    return last + timedelta(seconds=PAUSES_SECONDS[len(ends)])


def _first_to_go(replicas: Sequence[Actual], count: int) -> list[Actual]:
    """Those that are missed least: not ready before ready, of older deployments first, the newest
    replica of equals, which has served the shortest."""
    rank = {ReplicaState.STARTING: 0, ReplicaState.UNREACHABLE: 1}
    ordered = sorted(replicas, key=lambda r: (rank.get(r.state, 2), r.deployment, -r.number))
    return ordered[: max(0, count)]


# --- how it looks --------------------------------------------------------------------------------


class EndpointState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    UPDATING = "updating"  # an older deployment still serves
    DEGRADED = "degraded"  # serves with less than is wanted, or not what is wanted
    FAILED = "failed"  # given up, and nothing serves
    STOPPED = "stopped"  # no replicas are wanted


def state_of(wanted: Wanted, actual: Sequence[Actual]) -> EndpointState:
    """An endpoint in a word."""
    live = [r for r in actual if r.is_live]
    ready = sum(r.state is ReplicaState.READY for r in live)
    current = [r for r in live if r.deployment == wanted.deployment]
    if wanted.given_up:
        return EndpointState.DEGRADED if ready else EndpointState.FAILED
    if wanted.replicas == 0:
        return EndpointState.STOPPED
    if len(current) < len(live):
        return EndpointState.UPDATING
    if ready >= wanted.replicas:
        return EndpointState.READY
    if fault_of(wanted, actual):
        return EndpointState.DEGRADED
    return EndpointState.STARTING


def fault_of(wanted: Wanted, actual: Sequence[Actual]) -> Reason | None:
    """What is wrong with the wanted deployment's replicas, of the newest with something wrong."""
    own = [r for r in actual if r.deployment == wanted.deployment]
    for replica in sorted(own, key=lambda r: r.number, reverse=True):
        if replica.is_live and replica.state is ReplicaState.UNREACHABLE:
            return replica.reason
        if replica.ended_at and not replica.asked_to_stop and replica.ended_at >= wanted.tried_from:
            return replica.reason or Reason(code="ended_without_reason")
    return None
