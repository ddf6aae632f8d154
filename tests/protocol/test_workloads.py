"""The table that both sides share. The database's own copy is compared in tests/apps/workloads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.protocol.workloads import FINAL, HOLDING, TRANSITIONS, WorkloadState

S = WorkloadState


def reachable(start: WorkloadState) -> set[WorkloadState]:
    seen = {start}
    ahead = [start]
    while ahead:
        new = TRANSITIONS[ahead.pop()] - seen
        seen |= new
        ahead.extend(new)
    return seen


def test_every_state_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(S)


def test_nothing_becomes_what_it_is() -> None:
    assert not [state for state in S if state.may_become(state)]


def test_every_state_is_reached_from_the_first() -> None:
    assert reachable(S.PENDING) == set(S)


@pytest.mark.parametrize("state", [s for s in S if not s.is_final])
def test_every_living_state_can_end(state: WorkloadState) -> None:
    assert reachable(state) & FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_is_final_stays(state: WorkloadState) -> None:
    assert state.is_final
    assert not any(state.may_become(other) for other in S)


def test_the_final_states() -> None:
    assert {S.SUCCEEDED, S.FAILED, S.STOPPED, S.LOST} == FINAL


def test_success_comes_after_finishing_alone() -> None:
    assert [state for state in S if state.may_become(S.SUCCEEDED)] == [S.FINISHING]


def test_a_process_runs_only_after_the_approval() -> None:
    assert [state for state in S if state.may_become(S.RUNNING)] == [S.STARTING]


def test_only_what_is_on_a_node_can_be_lost() -> None:
    assert not S.PENDING.may_become(S.LOST)
    for state in S:
        assert state.may_become(S.LOST) == (not state.is_final and state is not S.PENDING)


def test_room_is_held_from_the_assignment_until_the_process_is_gone() -> None:
    assert {S.ASSIGNED, S.STARTING, S.RUNNING, S.STOPPING} == HOLDING
    assert {state for state in S if state.holds_room} == HOLDING


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[S.FAILED] = frozenset({S.RUNNING})  # type: ignore[index]


@given(st.lists(st.sampled_from(S), max_size=30))
def test_late_and_repeated_reports_never_revive_what_is_over(reports: list[WorkloadState]) -> None:
    state, ended = S.PENDING, None
    for told in reports:
        if state.may_become(told):
            state = told
        if ended is not None:
            assert state is ended
        ended = state if state.is_final else None
