from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from apps.serving.routing import Pace, pick


@dataclass
class Replica:
    outstanding: int
    turn: int = 0


class TestPick:
    def test_takes_the_fewest_outstanding(self):
        busy, idle = Replica(3), Replica(1)

        assert pick([busy, idle]) is idle

    def test_takes_of_equals_whoever_waited_longest(self):
        recent, long_ago = Replica(1, turn=7), Replica(1, turn=5)

        assert pick([recent, long_ago]) is long_ago

    def test_takes_nobody_of_none(self):
        assert pick([]) is None


class TestPace:
    @given(st.integers(1, 600), st.lists(st.floats(0, 20), max_size=60))
    def test_never_lets_more_through_than_a_minutes_worth_and_the_flow(self, per_minute, pauses):
        pace, now, taken = Pace(per_minute), 1000.0, 0
        for pause in pauses:
            now += pause
            while pace.take(now) == 0.0:
                taken += 1

        assert taken <= per_minute + (now - 1000.0) * per_minute / 60 + 1e-6

    def test_says_when_the_next_may_come(self):
        pace = Pace(2)
        assert [pace.take(0.0), pace.take(0.0)] == [0.0, 0.0]

        wait = pace.take(0.0)

        assert wait == 30.0
        assert pace.take(wait) == 0.0

    def test_of_none_lets_nothing_through(self):
        assert Pace(0).take(0.0) > 0
