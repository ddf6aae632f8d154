import pytest

from agents.protocol.workloads import TRANSITIONS, WorkloadState
from apps.workloads.lifecycle import road

S = WorkloadState


class TestRoad:
    @pytest.mark.parametrize("state", WorkloadState)
    @pytest.mark.parametrize("told", WorkloadState)
    def test_takes_legal_edges_only(self, state, told):
        here = state
        for step in road(state, told):
            assert step in TRANSITIONS[here]
            here = step
        assert here in (state, told)

    def test_is_one_step_where_there_is_an_edge(self):
        assert road(S.RUNNING, S.FAILED) == (S.FAILED,)

    def test_passes_through_what_was_not_told(self):
        assert road(S.STARTING, S.SUCCEEDED) == (S.RUNNING, S.FINISHING, S.SUCCEEDED)

    def test_does_not_go_back(self):
        assert road(S.STOPPING, S.RUNNING) == ()
        assert road(S.FINISHING, S.RUNNING) == ()

    @pytest.mark.parametrize("state", [s for s in S if s.is_final])
    @pytest.mark.parametrize("told", WorkloadState)
    def test_does_not_leave_an_end(self, state, told):
        assert road(state, told) == ()

    @pytest.mark.parametrize("told", [S.PENDING, S.ASSIGNED, S.STARTING])
    @pytest.mark.parametrize("state", WorkloadState)
    def test_does_not_let_a_node_place_or_approve(self, state, told):
        assert road(state, told) == ()

    def test_takes_nothing_but_a_failure_of_what_was_not_approved(self):
        assert road(S.ASSIGNED, S.RUNNING) == ()
        assert road(S.ASSIGNED, S.SUCCEEDED) == ()
        assert road(S.ASSIGNED, S.FAILED) == (S.FAILED,)

    @pytest.mark.parametrize("state", [S.STARTING, S.RUNNING, S.STOPPING, S.FINISHING])
    def test_can_always_reach_an_end(self, state):
        assert road(state, S.FAILED)
        assert road(state, S.STOPPED)
        assert road(state, S.LOST)
