"""How a node's word for a workload's state is taken: a pure rule over the transition table."""

from collections import deque
from functools import cache

from agents.protocol.workloads import TRANSITIONS, WorkloadState

_S = WorkloadState
# only the control plane queues, places and approves; a node tells what came of it
TOLD_BY_NODES = frozenset(_S) - {_S.PENDING, _S.ASSIGNED, _S.STARTING}


@cache
def road(state: WorkloadState, told: WorkloadState) -> tuple[WorkloadState, ...]:
    """The legal steps from a state to the one a node tells, shortest first; none if it is too late.

    More than one step where a report in between is missing: a node that has lost some of its past
    must not leave a workload hanging for ever.
    """
    if state is _S.ASSIGNED:  # not approved: it cannot have run, only have failed to
        return (told,) if told is _S.FAILED else ()
    if told not in TOLD_BY_NODES:
        return ()
    roads: deque[tuple[WorkloadState, tuple[WorkloadState, ...]]] = deque([(state, ())])
    seen: set[WorkloadState] = {state}
    while roads:
        here, steps = roads.popleft()
        for after in sorted(TRANSITIONS[here] & TOLD_BY_NODES, key=list(_S).index):
            if after is told:
                return (*steps, after)
            if after not in seen:
                seen.add(after)
                roads.append((after, (*steps, after)))
    return ()
