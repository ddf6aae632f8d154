"""What a list of jobs shows of their metrics."""

from math import nan
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common.ids import uuid7
from apps.telemetry import selectors
from apps.telemetry.models import MetricPoint
from tests.make import NOON

pytestmark = pytest.mark.django_db


def points(workload: UUID, name: str, *values: float) -> None:
    MetricPoint.objects.bulk_create(
        MetricPoint(
            workload_id=workload, name=name, step=step, value=value, at=NOON, received_at=NOON
        )
        for step, value in enumerate(values)
    )


def glance(workload: UUID, wanted: str = "") -> selectors.Glance:
    return selectors.glances({workload: wanted})[workload]


class TestMainMetric:
    def test_is_the_wanted_one_when_it_is_there(self):
        workload = uuid7()
        points(workload, "train/loss", 3.0, 2.0)
        points(workload, "test/accuracy", 0.5, 0.9)

        seen = glance(workload, "test/accuracy")

        assert (seen.name, seen.value, seen.spark) == ("test/accuracy", 0.9, [0.5, 0.9])

    @pytest.mark.parametrize(
        ("names", "main"),
        [
            (["a", "train/loss", "loss"], "train/loss"),
            (["a", "loss", "val_loss"], "loss"),
            (["a", "val_loss"], "val_loss"),
            (["b", "a", "progress"], "a"),
        ],
    )
    def test_else_is_what_looks_most_like_a_loss(self, names, main):
        workload = uuid7()
        for name in names:
            points(workload, name, 1.0)

        assert glance(workload, "test/accuracy").name == main

    def test_has_at_most_thirty_points_from_the_first_to_the_last(self):
        workload = uuid7()
        points(workload, "loss", *map(float, range(1000)))

        spark = glance(workload).spark

        assert len(spark) == 30
        assert (spark[0], spark[-1]) == (0.0, 999.0)
        assert spark == sorted(spark)

    def test_has_gaps_where_there_is_no_number(self):
        workload = uuid7()
        points(workload, "loss", 1.0, nan)

        seen = glance(workload)

        assert (seen.value, seen.spark) == (None, [1.0, None])

    def test_of_steps_as_far_apart_as_can_be(self):
        workload = uuid7()
        MetricPoint.objects.bulk_create(
            MetricPoint(
                workload_id=workload, name="loss", step=step, value=1.0, at=NOON, received_at=NOON
            )
            for step in (-(2**63) + 1, 2**63 - 1)
        )

        assert glance(workload).spark == [1.0, 1.0]

    def test_is_none_without_points(self):
        assert glance(uuid7()) == selectors.Glance(None, None, None, None, [])


class TestProgress:
    @pytest.mark.parametrize(("told", "shown"), [(0.25, 0.25), (7.0, 1.0), (-1.0, 0.0)])
    def test_is_the_newest_within_its_bounds(self, told, shown):
        workload = uuid7()
        points(workload, "progress", 0.1, told)

        seen = glance(workload)

        assert (seen.progress, seen.progress_at, seen.name) == (shown, NOON, None)

    def test_that_is_no_number_is_unknown(self):
        workload = uuid7()
        points(workload, "progress", nan)

        assert glance(workload).progress is None


def test_all_take_one_query():
    workloads = [uuid7() for _ in range(3)]
    for workload in workloads:
        points(workload, "loss", 1.0)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        seen = selectors.glances(dict.fromkeys(workloads, ""))

    assert len(asked) == 1
    assert set(seen) == set(workloads)


def test_nothing_asks_nothing():
    assert selectors.glances({}) == {}
