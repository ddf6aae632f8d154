import math

import pytest

from apps.common.ids import uuid7
from apps.telemetry import selectors, services
from apps.telemetry.models import MetricPoint, Stream
from apps.telemetry.services import Stored
from tests.apps.telemetry import make
from tests.apps.telemetry.make import INFINITY, NAN, NOON

pytestmark = pytest.mark.django_db
T = NOON.timestamp()


def append(*batches):
    return services.append_points(sent=batches, at=NOON)


class TestAppendPoints:
    def test_keeps_points_of_several_workloads(self):
        a, b = uuid7(), uuid7()

        stored = append(
            make.batch(a, 0, 10, ("loss", 0, 2.5)),
            make.batch(b, 0, 10, ("loss", 0, 7.0)),
            make.batch(a, 10, 20, ("loss", 1, 1.5), ("lr", 1, 0.1)),
        )

        assert stored == {a: Stored(20, in_step=True), b: Stored(10, in_step=True)}
        assert selectors.points(a) == (
            20,
            {"loss": [(0, 2.5, T), (1, 1.5, T)], "lr": [(1, 0.1, T)]},
        )

    def test_stores_nothing_twice(self):
        a = uuid7()
        append(make.batch(a, 0, 10, ("loss", 0, 1.0)))

        assert append(make.batch(a, 0, 10, ("loss", 0, 1.0))) == {a: Stored(10, in_step=True)}
        assert MetricPoint.objects.filter(workload_id=a).count() == 1

    @pytest.mark.parametrize(("offset", "end"), [(5, 15), (12, 20), (10, 2**62)])
    def test_refuses_what_does_not_begin_where_the_stored_ones_end(self, offset, end):
        a = uuid7()
        append(make.batch(a, 0, 10, ("loss", 0, 1.0)))

        assert append(make.batch(a, offset, end, ("loss", 9, 9.0))) == {
            a: Stored(10, in_step=False)
        }
        assert MetricPoint.objects.filter(workload_id=a).count() == 1

    def test_counts_what_cannot_be_stored_and_keeps_the_rest(self):
        a = uuid7()
        append(
            make.batch(
                a,
                0,
                10,
                ("", 0, 1.0),
                ("x" * 251, 0, 1.0),
                ("nul\0", 0, 1.0),
                ("big", 2**63, 1.0),
                ("loss", 1, 1.0),
                unreadable=3,
            ),
            make.batch(a, 10, 20, ("old", 0, 1.0), at=NOON.replace(year=2000)),
            make.batch(a, 20, 30, ("new", 0, 1.0), at=NOON.replace(year=2099)),
        )

        stream = Stream.objects.get(workload_id=a)
        assert (stream.offset, stream.refused_points, stream.unreadable_lines) == (30, 6, 3)
        assert list(selectors.points(a)[1]) == ["loss"]

    def test_tells_watchers_the_points_as_json_can_carry_them(
        self, told, django_capture_on_commit_callbacks
    ):
        a = uuid7()
        with django_capture_on_commit_callbacks(execute=True):
            append(make.batch(a, 0, 10, ("l", 0, NAN), ("l", 1, -INFINITY), ("l", 2, 0.5)))

        assert told == [
            (
                f"workload.{a}",
                {
                    "event": "points",
                    "workload_id": a,
                    "offset": 0,
                    "end": 10,
                    "points": [["l", 0, "NaN", T], ["l", 1, "-Infinity", T], ["l", 2, 0.5, T]],
                },
            )
        ]

    def test_tells_many_points_in_pieces_that_a_watcher_can_append(
        self, told, django_capture_on_commit_callbacks
    ):
        a, many = uuid7(), services.LIVE_POINTS + 1
        with django_capture_on_commit_callbacks(execute=True):
            append(make.batch(a, 5, 5), make.batch(a, 0, 90, *(("l", n, 1.0) for n in range(many))))

        bodies = [body for _, body in told]
        assert [(body["offset"], body["end"]) for body in bodies] == [(0, 0), (0, 90)]
        assert sum(len(body["points"]) for body in bodies) == many


class TestPoints:
    def test_says_how_far_they_go_even_without_a_point(self):
        a = uuid7()
        append(make.batch(a, 0, 10))

        assert selectors.points(a) == (10, {})
        assert selectors.points(uuid7()) == (0, {})

    def test_gives_only_the_series_asked_for(self):
        a = uuid7()
        append(make.batch(a, 0, 10, ("a", 0, 1.0), ("b", 0, 1.0)))

        assert list(selectors.points(a, names=["b"])[1]) == ["b"]

    def test_gives_words_for_what_is_no_number(self):
        a = uuid7()
        append(make.batch(a, 0, 10, ("l", 0, NAN), ("l", 1, INFINITY), ("l", 2, -INFINITY)))

        assert [p[1] for p in selectors.points(a)[1]["l"]] == ["NaN", "Infinity", "-Infinity"]

    def test_thins_a_long_series_and_keeps_its_ends_and_extremes(self):
        a = uuid7()
        values = [math.sin(n / 50) for n in range(5000)]
        values[1234], values[4321], values[77] = 50.0, -50.0, NAN
        append(make.batch(a, 0, 10, *(("l", n, v) for n, v in enumerate(values))))

        thin = selectors.points(a, max_points=200)[1]["l"]

        assert len(thin) <= 200
        steps = [step for step, _, _ in thin]
        assert steps == sorted(set(steps))
        assert (steps[0], steps[-1]) == (0, 4999)
        assert {1234, 4321} <= set(steps)
        assert all(value == values[step] for step, value, _ in thin if value != "NaN")
