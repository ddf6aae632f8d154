"""The rules, by example and by property: chance breaks replicas, `decide` says what is done."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocol.base import Reason
from agents.protocol.workloads import Cause
from apps.serving.models import ReplicaState
from apps.serving.reconciliation import (
    EXTRA,
    WINDOW,
    Actual,
    Decision,
    EndpointState,
    Wanted,
    decide,
    state_of,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
S = ReplicaState


def wanted(replicas: int = 1, deployment: int = 1, **fields) -> Wanted:
    return Wanted(deployment=deployment, replicas=replicas, tried_from=NOON, **fields)


def replica(number: int, state: S = S.READY, deployment: int = 1, **fields) -> Actual:
    return Actual(id=UUID(int=number), number=number, deployment=deployment, state=state, **fields)


def ended(number: int, after: float, cause: Cause | None = Cause.ENVIRONMENT, **fields) -> Actual:
    at = NOON + timedelta(seconds=after)
    return replica(number, S.ENDED, ended_at=at, cause=cause, **fields)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def ids(*numbers: int) -> tuple[UUID, ...]:
    return tuple(UUID(int=number) for number in numbers)


class TestStart:
    def test_what_is_missing(self):
        assert decide(wanted(3), [replica(1)], NOON) == Decision(start=2)

    def test_nothing_in_the_place_of_one_that_starts(self):
        assert decide(wanted(1), [replica(1, S.STARTING)], NOON) == Decision()

    def test_a_new_one_for_one_that_stops(self):
        stopping = replica(1, S.STOPPING, asked_to_stop=True)

        assert decide(wanted(1), [stopping], NOON) == Decision(start=1)

    @pytest.mark.parametrize(("ends", "pause"), [(1, 0), (2, 5), (3, 10), (4, 20)])
    def test_waits_longer_with_every_end(self, ends, pause):
        gone = [ended(n, n) for n in range(1, ends + 1)]

        if pause:
            early = decide(wanted(), gone, at(ends + pause - 0.1))
            assert early == Decision(not_before=at(ends + pause))
        assert decide(wanted(), gone, at(ends + pause)) == Decision(start=1)


class TestGiveUp:
    def test_after_five_ends_within_ten_minutes(self):
        gone = [ended(n, 60 * n) for n in range(1, 6)]

        decision = decide(wanted(), gone, at(301))

        assert decision.give_up == Reason(
            code="replicas_keep_ending", params={"count": 5, "minutes": 10}
        )
        assert decision.start == 0

    def test_not_after_five_over_a_longer_time(self):
        gone = [ended(n, 200 * n) for n in range(1, 6)]

        assert decide(wanted(), gone, at(1001)).give_up is None

    def test_at_once_if_it_is_the_fault_of_what_is_deployed(self):
        why = Reason(code="weights_unlike_signature")

        decision = decide(wanted(3), [ended(1, 1, Cause.USER_CODE, reason=why)], at(2))

        assert decision == Decision(give_up=why)

    def test_not_at_once_if_it_has_served(self):
        served = ended(1, 1, Cause.USER_CODE, was_ready=True)

        assert decide(wanted(), [served], at(2)) == Decision(start=1)

    def test_not_at_once_if_somebody_killed_it(self):
        killed = ended(1, 1, Cause.USER_CODE, reason=Reason(code="killed_by_signal"))

        assert decide(wanted(), [killed], at(2)) == Decision(start=1)

    def test_not_for_ends_before_it_was_tried_again(self):
        gone = [ended(n, n, Cause.USER_CODE) for n in range(1, 6)]
        again = replace(wanted(), tried_from=at(60))

        assert decide(again, gone, at(61)) == Decision(start=1)

    @pytest.mark.parametrize("cause", [Cause.INTERRUPTED, Cause.STOPPED])
    def test_not_when_the_node_was_shut_down(self, cause):
        gone = [ended(n, n, cause) for n in range(1, 9)]

        assert decide(wanted(), gone, at(10)) == Decision(start=1)

    def test_not_for_what_we_stopped(self):
        gone = [ended(n, n, asked_to_stop=True) for n in range(1, 9)]

        assert decide(wanted(), gone, at(10)) == Decision(start=1)

    def test_keeps_the_older_that_serves(self):
        older = replica(1, deployment=1)
        given_up = wanted(deployment=2, given_up=True)

        assert decide(given_up, [older], NOON) == Decision()


class TestStop:
    def test_what_is_too_much_and_serves_least(self):
        there = [replica(1), replica(2, S.UNREACHABLE), replica(3, S.STARTING), replica(4)]

        assert decide(wanted(1), there, NOON).stop == ids(3, 2, 4)

    def test_an_older_one_that_never_served_at_once(self):
        decision = decide(wanted(1, 2), [replica(1, S.STARTING, deployment=1)], NOON)

        assert decision == Decision(start=1, stop=ids(1))

    def test_an_older_one_for_each_new_one_that_is_ready(self):
        older = [replica(n, deployment=1) for n in (1, 2, 3)]
        newer = replica(4, deployment=2)

        assert decide(wanted(3, 2), [*older, newer], NOON) == Decision(start=1, stop=ids(3))

    def test_everything_if_nothing_is_wanted(self):
        there = [replica(1, deployment=1), replica(2, deployment=2)]

        assert set(decide(wanted(0, 2), there, NOON).stop) == set(ids(1, 2))


REPLICAS = st.lists(
    st.builds(
        lambda number, state, deployment, asked, after, cause: replica(
            number,
            S.ENDED if after is not None else state,
            deployment,
            asked_to_stop=asked,
            ended_at=None if after is None else at(-after),
            cause=cause if after is not None else None,
        ),
        st.integers(1, 60),
        st.sampled_from([S.STARTING, S.READY, S.UNREACHABLE]),
        st.integers(1, 3),
        st.booleans(),
        st.none() | st.floats(0, 1200),
        st.sampled_from(list(Cause)),
    ),
    max_size=30,
    unique_by=lambda r: r.id,
)
WANTED = st.builds(
    lambda replicas, deployment, tried, given_up: Wanted(
        deployment=deployment, replicas=replicas, tried_from=at(-tried), given_up=given_up
    ),
    st.integers(0, 8),
    st.integers(1, 3),
    st.floats(0, 1200),
    st.booleans(),
)


def serving(there: list[Actual]) -> int:
    return sum(r.is_live and r.state is S.READY for r in there)


class TestEveryDecision:
    @given(WANTED, REPLICAS)
    def test_never_has_more_than_one_beyond_what_is_wanted(self, wish, there):
        decision = decide(wish, there, NOON)

        if decision.start:
            left = [r for r in there if r.is_live and r.id not in decision.stop]
            assert len(left) + decision.start <= wish.replicas + EXTRA
            own = sum(r.deployment == wish.deployment for r in left)
            assert own + decision.start <= wish.replicas

    @given(WANTED, REPLICAS)
    def test_never_takes_more_from_service_than_is_wanted_less(self, wish, there):
        decision = decide(wish, there, NOON)

        left = [r for r in there if r.id not in decision.stop]
        assert serving(left) >= min(serving(there), wish.replicas)

    @given(WANTED, REPLICAS)
    def test_stops_only_what_lives_and_each_once(self, wish, there):
        stop = decide(wish, there, NOON).stop

        assert len(set(stop)) == len(stop)
        assert set(stop) <= {r.id for r in there if r.is_live}

    @given(WANTED, REPLICAS)
    def test_starts_nothing_that_is_given_up(self, wish, there):
        decision = decide(wish, there, NOON)

        if wish.given_up or decision.give_up:
            assert decision.start == 0
        if wish.given_up:
            assert decision.give_up is None


class World:
    """Replicas that start, become ready and break by chance; done is what `decide` says."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = NOON
        self.replicas: dict[UUID, Actual] = {}
        self.wish = wanted(2)

    @property
    def there(self) -> list[Actual]:
        return list(self.replicas.values())

    def step(self, *, breaks: float) -> Decision:
        self.now += timedelta(seconds=5)
        for one in self.there:
            if one.ended_at:
                continue
            if one.asked_to_stop:
                self._put(one, state=S.ENDED, ended_at=self.now, cause=Cause.STOPPED)
            elif self.chance.random() < breaks:
                cause = self.chance.choice([Cause.ENVIRONMENT, Cause.INTERRUPTED])
                self._put(one, state=S.ENDED, ended_at=self.now, cause=cause)
            else:
                self._put(one, state=S.READY)
        before = serving(self.there)
        decision = decide(self.wish, self.there, self.now)
        for id in decision.stop:
            self._put(self.replicas[id], state=S.STOPPING, asked_to_stop=True)
        if decision.give_up:
            self.wish = replace(self.wish, given_up=True)
        for _ in range(decision.start):
            made = replica(len(self.replicas) + 1, S.STARTING, self.wish.deployment)
            self.replicas[made.id] = made
        assert serving(self.there) >= min(before, self.wish.replicas)
        return decision

    def _put(self, one: Actual, **fields) -> None:
        self.replicas[one.id] = replace(one, **fields)


class TestConvergence:
    @settings(deadline=None)
    @given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6))))
    def test_what_is_wanted_becomes_so_and_stays(self, seed, wishes):
        world = World(seed)
        for deployment, replicas in [*wishes, (4, 3)]:
            world.wish = Wanted(deployment=deployment, replicas=replicas, tried_from=world.now)
            for _ in range(world.chance.randrange(6)):
                world.step(breaks=0.2)
        world.wish = replace(world.wish, given_up=False, tried_from=world.now)

        for _ in range(20):
            world.step(breaks=0)

        live = [r for r in world.there if r.is_live]
        assert [(r.deployment, r.state) for r in live] == [(4, S.READY)] * 3
        assert state_of(world.wish, world.there) is EndpointState.READY
        assert world.step(breaks=0) == Decision()

    @given(st.integers(0, 2**32))
    def test_what_always_breaks_is_given_up_within_the_window(self, seed):
        world = World(seed)
        world.wish = wanted(1)
        world.chance.choice = lambda causes: Cause.ENVIRONMENT  # type: ignore[method-assign]

        while not world.wish.given_up:
            world.step(breaks=1)
            assert world.now < NOON + WINDOW

        assert sum(r.ended_at is not None for r in world.there) == 5
        assert state_of(world.wish, world.there) is EndpointState.FAILED


class TestState:
    @pytest.mark.parametrize(
        ("wish", "there", "state"),
        [
            (wanted(0), [], "stopped"),
            (wanted(1), [], "starting"),
            (wanted(2), [replica(1), replica(2, S.STARTING)], "starting"),
            (wanted(1), [replica(1)], "ready"),
            (
                wanted(2),
                [replica(1), replica(2, S.UNREACHABLE, reason=Reason(code="x"))],
                "degraded",
            ),
            (wanted(1), [ended(1, 1), replica(2, S.STARTING)], "degraded"),
            (wanted(1), [ended(1, -1), replica(2, S.STARTING)], "starting"),
            (wanted(1, 2), [replica(1), replica(2, S.STARTING, 2)], "updating"),
            (wanted(1, 2, given_up=True), [replica(1)], "degraded"),
            (wanted(1, given_up=True), [ended(1, 1)], "failed"),
        ],
    )
    def test_is_one_word(self, wish, there, state):
        assert state_of(wish, there) == state
