"""Minutes are what the seconds say, whenever they come, and history is the same from either."""

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.protocol import blocks as packing
from apps.telemetry import rollups, selectors, series, services, storage, sweeps
from apps.telemetry.models import Block, Rollup, RollupMark
from apps.telemetry.series import Grid, Wanted
from tests import make as rows
from tests.apps.telemetry import make
from tests.apps.telemetry.make import NOON

pytestmark = pytest.mark.django_db
HOST = ("", "cpu_percent")
POWER = ("GPU-1", "power_watts")
ENERGY = ("GPU-1", "energy_joules")
SECOND, MINUTE, WINDOW = timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=10)


def record(*blocks, at):
    services.record_blocks(sent=blocks, at=at)


def later(at=NOON):
    """When every window that begins by then is due, whoever's turn it is."""
    return at + WINDOW + rollups.GRACE + MINUTE * rollups.TURNS


def steady(minutes, *, start=NOON, node=make.NODE, seq=1):
    """Ten-second blocks of a node whose readings rise, with a counter."""
    for n in range(6 * minutes):
        at = start + 10 * n * SECOND
        yield make.block(
            seq + n,
            at,
            {
                HOST: [float((10 * n + s) % 97) for s in range(10)],
                ENERGY: [float(10 * n + s) for s in range(10)],
            },
            node=node,
        )


def naive(readings, *, start, step, buckets):
    """(time in ms, key, value) by hand: mean, maximum and last of every bucket."""
    found = defaultdict(lambda: defaultdict(list))
    for at, key, value in readings:
        place = (at - int(start.timestamp() * 1000)) // (1000 * step)
        if 0 <= place < buckets and value is not None:
            found[key][place].append((at, value))
    mean, top = {}, {}
    for key, places in found.items():
        if key[1] in series.LAST_COUNTS:
            mean[key] = {place: max(seen)[1] for place, seen in places.items()}
        else:
            mean[key] = {p: math.fsum(v for _, v in seen) / len(seen) for p, seen in places.items()}
            top[key] = {place: max(v for _, v in seen) for place, seen in places.items()}
    return mean, top


def readings_of(sent):
    for one in sent:
        header, columns = packing.unpack(one.item.data)
        for key, values in columns.items():
            for n, value in enumerate(values):
                yield round((header.start + n * header.step) * 1000), key, value


def as_found(found):
    """A NodeSeries' means and maxima in the shape of `naive`."""
    mean, top = {}, {}
    for device, fields in found.series.items():
        for name, values in fields.items():
            base, _, kind = name.partition(":")
            key = ("" if device == "host" else device, base)
            target = top if kind else mean
            target[key] = {n: v for n, v in enumerate(values) if v is not None}
    return mean, top


def same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        assert one[key].keys() == other[key].keys(), key
        for place, value in one[key].items():
            assert other[key][place] == pytest.approx(value, rel=2e-6, abs=1e-30), (key, place)


class TestRollUp:
    def test_makes_ten_one_minute_readings_of_a_window(self):
        record(*steady(10), at=NOON + WINDOW)

        assert rollups.roll_up(at=later()) == 1

        row = Rollup.objects.get()
        header, columns = packing.unpack(bytes(row.data))
        assert (row.node_id, row.start_at, row.blocks) == (make.NODE, NOON, 60)
        assert (header.start, header.step, header.count) == (NOON.timestamp(), 60, 10)
        assert columns[HOST][0] == pytest.approx(sum(range(60)) / 60)
        assert columns["", "cpu_percent:max"][:2] == [59.0, 96.0]
        assert columns[ENERGY] == [60.0 * n + 59 for n in range(10)]
        assert columns["", ":samples"] == [60.0] * 10
        assert ("GPU-1", "energy_joules:max") not in columns

    def test_waits_until_a_window_is_over_and_its_nodes_turn_has_come(self):
        record(*steady(10), at=NOON + WINDOW)
        due = NOON + WINDOW + rollups.GRACE + rollups.turn_of(make.NODE)

        assert rollups.roll_up(at=due - SECOND) == 0
        assert rollups.roll_up(at=due) == 1

    def test_does_nothing_twice(self):
        record(*steady(10), at=NOON + WINDOW)
        rollups.roll_up(at=later())

        assert rollups.roll_up(at=later() + MINUTE) == 0

    def test_is_made_anew_when_a_late_block_arrives(self):
        first, *others = steady(10)
        record(*others, at=NOON + WINDOW)
        rollups.roll_up(at=later())
        much_later = NOON + timedelta(days=2)
        rollups.roll_up(at=much_later)

        record(first, at=much_later)

        assert rollups.roll_up(at=much_later + MINUTE) == 1
        row = Rollup.objects.get()
        assert (row.blocks, row.rolled_at) == (60, much_later + MINUTE)
        assert packing.unpack(bytes(row.data))[1]["", ":samples"] == [60.0] * 10

    def test_finds_a_block_that_was_committed_after_it_had_looked(self):
        first, *others = steady(10)
        record(*others, at=NOON + WINDOW)
        rollups.roll_up(at=later())

        record(first, at=NOON + 11 * SECOND)  # received then, and visible only now

        assert rollups.roll_up(at=later() + SECOND) == 1

    def test_catches_up_after_the_controller_was_away(self):
        record(*steady(10), at=NOON + WINDOW)
        rollups.roll_up(at=later())
        record(*steady(10, start=NOON + 3 * WINDOW, seq=100), at=NOON + 4 * WINDOW)

        assert rollups.roll_up(at=NOON + timedelta(days=3)) == 1

    def test_shares_a_block_between_the_windows_it_lies_in(self):
        record(make.block(1, NOON + WINDOW - 5 * SECOND, {HOST: [1.0] * 10}), at=NOON + WINDOW)

        assert rollups.roll_up(at=later(NOON + WINDOW)) == 2

        samples = [
            packing.unpack(bytes(row.data))[1]["", ":samples"]
            for row in Rollup.objects.order_by("start_at")
        ]
        assert samples == [[None] * 9 + [5.0], [5.0] + [None] * 9]

    def test_does_not_replace_a_whole_window_by_what_is_left_of_it(self):
        first, *_ = sent = list(steady(10))
        record(*sent, at=NOON + WINDOW)
        rollups.roll_up(at=later())
        Block.objects.all().delete()  # as if the day had been dropped

        record(first, at=NOON + timedelta(hours=1))
        rollups.roll_up(at=NOON + timedelta(hours=2))

        assert Rollup.objects.get().blocks == 60

    def test_a_field_that_has_gaps_of_its_own_says_how_much_it_weighs(self):
        record(
            make.block(1, NOON, {HOST: [1.0] * 10, POWER: [5.0] * 4 + [None] * 6}),
            at=NOON + WINDOW,
        )
        rollups.roll_up(at=later())

        _, columns = packing.unpack(bytes(Rollup.objects.get().data))
        assert columns["GPU-1", "power_watts:count"][0] == 4.0
        assert ("", "cpu_percent:count") not in columns

    def test_takes_no_field_for_what_is_made_of_fields(self):
        record(make.block(1, NOON, {HOST: [1.0], ("", "cpu_percent:max"): [9.0]}), at=NOON)
        rollups.roll_up(at=later())

        _, columns = packing.unpack(bytes(Rollup.objects.get().data))
        assert columns["", "cpu_percent:max"][0] == 1.0

    def test_is_a_sweep(self):
        start = timezone.now() - timedelta(hours=1)
        record(make.block(1, start, {HOST: [1.0]}), at=start)

        sweeps.roll_up()

        assert Rollup.objects.exists()
        assert RollupMark.objects.get().through > start


class TestHistory:
    """From rollups and from blocks it is one."""

    def test_joins_rollups_and_the_newest_minutes_without_a_hole_or_a_double(self):
        record(*steady(47), at=NOON + timedelta(minutes=47))
        begin, end = NOON - timedelta(hours=13), NOON + timedelta(minutes=47)
        before = selectors.series(make.NODE, begin, end)
        rollups.roll_up(at=later(NOON + 2 * WINDOW))  # three windows; the others come from blocks

        after = selectors.series(make.NODE, begin, end)

        assert Rollup.objects.count() == 3
        assert (before.source, after.source) == ("raw", "mixed")
        same(as_found(before)[0], as_found(after)[0])
        assert len(as_found(after)[0][HOST]) == 24  # steps of two minutes, each there once

    def test_a_block_across_the_seam_counts_on_either_side(self):
        across = make.block(1, NOON + WINDOW - 4 * SECOND, {HOST: [10.0] * 4 + [20.0] * 6})
        record(across, at=NOON + WINDOW)
        rollups.roll_up(at=later())
        Rollup.objects.filter(start_at=NOON + WINDOW).delete()

        found = selectors.series(make.NODE, NOON, NOON + timedelta(hours=12))

        assert found.step == 60
        assert found.source == "mixed"
        assert as_found(found)[0][HOST] == {9: 10.0, 10: 20.0}

    def test_a_hole_stays_a_hole(self):
        record(
            make.block(1, NOON, {HOST: [1.0] * 10}),
            make.block(2, NOON + 5 * MINUTE, {HOST: [0.0] * 10}),
            at=NOON + WINDOW,
        )
        rollups.roll_up(at=later())

        found = selectors.series(make.NODE, NOON, NOON + timedelta(hours=12))

        assert found.source == "rollup"
        assert as_found(found)[0] == {HOST: {0: 1.0, 5: 0.0}}

    def test_a_spike_is_not_lost(self):
        record(make.block(1, NOON, {HOST: [0.0] * 9 + [100.0]}), at=NOON)
        rollups.roll_up(at=later())
        wanted = Wanted(fields=frozenset({"cpu_percent", "cpu_percent:max"}))

        found = selectors.series(make.NODE, NOON, NOON + timedelta(hours=24), wanted=wanted)

        assert as_found(found) == ({HOST: {0: 10.0}}, {HOST: {0: 100.0}})

    def test_is_of_minutes_where_the_seconds_are_no_longer_kept(self):
        record(*steady(10), at=NOON + WINDOW)
        rollups.roll_up(at=later())
        Block.objects.all().delete()

        found = selectors.series(
            make.NODE, NOON, NOON + 10 * MINUTE, raw_since=NOON + timedelta(days=1)
        )

        assert (found.step, found.source) == (60, "rollup")
        assert len(as_found(found)[0][HOST]) == 10

    def test_shows_only_what_is_asked_for(self):
        record(make.block(1, NOON, {HOST: [1.0], POWER: [5.0], ENERGY: [7.0]}), at=NOON)

        by_field = selectors.series(
            make.NODE, NOON, NOON + SECOND, wanted=Wanted(fields=frozenset({"power_watts"}))
        )
        by_device = selectors.series(
            make.NODE, NOON, NOON + SECOND, wanted=Wanted(devices=frozenset({"host"}))
        )

        assert by_field.series == {"GPU-1": {"power_watts": [5.0]}}
        assert by_device.series == {"host": {"cpu_percent": [1.0]}}


values = st.one_of(st.none(), st.floats(-1e6, 1e6, width=32))
keys = st.sampled_from([HOST, POWER, ENERGY, ("GPU-2", "power_watts"), ("GPU-2", "fan_percent")])


@st.composite
def histories(draw):
    """Blocks of a node over two hours: holes, odd lengths, devices that come and go."""
    sent, at = [], NOON + draw(st.integers(0, 30_000)) * timedelta(milliseconds=1)
    for seq in range(1, draw(st.integers(1, 12)) + 1):
        count = draw(st.integers(1, 12))
        columns = draw(
            st.dictionaries(keys, st.lists(values, min_size=count, max_size=count), min_size=1)
        )
        sent.append(make.block(seq, at, columns, node=make.NODE))
        at += count * SECOND + draw(st.sampled_from([0, 0, 0, 1, 55, 590, 1500])) * SECOND
    return sent


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=histories(), data=st.data())
def test_history_is_what_the_readings_say_whenever_they_came(sent, data):
    for model in (Block, Rollup, RollupMark):
        model.objects.all().delete()
    late = data.draw(st.sets(st.sampled_from(range(len(sent)))))
    again = data.draw(st.booleans())
    wanted = Wanted(
        fields=frozenset({name for _, name in _all_keys()} | {f"{n}:max" for _, n in _all_keys()})
    )
    record(*(one for n, one in enumerate(sent) if n not in late), at=NOON + timedelta(hours=2))
    rollups.roll_up(at=NOON + timedelta(hours=8))
    if late:
        record(*(sent[n] for n in sorted(late)), at=NOON + timedelta(hours=9))
    if again:
        rollups.roll_up(at=NOON + timedelta(hours=9, minutes=10))
    else:  # what was rolled up without them is out of date: only the next pass may be compared
        rollups.roll_up(at=NOON + timedelta(hours=9, seconds=1))

    for hours in (12, 24, 24 * 5):
        until = NOON + timedelta(hours=hours)
        found = selectors.series(make.NODE, NOON, until, wanted=wanted)
        buckets = hours * 3600 // found.step
        mean, top = naive(readings_of(sent), start=NOON, step=found.step, buckets=buckets)
        same(mean, as_found(found)[0])
        same(top, as_found(found)[1])


def _all_keys():
    return [HOST, POWER, ENERGY, ("GPU-2", "power_watts"), ("GPU-2", "fan_percent")]


class TestRetention:
    def test_drops_days_and_months_that_are_over_and_nothing_else(self, settings):
        settings.TELEMETRY_BLOCK_DAYS, settings.TELEMETRY_ROLLUP_DAYS = 7, 60
        at = datetime(2031, 5, 20, 12, tzinfo=UTC)
        for days in (8, 7, 6):
            storage.ensure_partition((at - timedelta(days=days)).date())
        for month in (2, 3, 4):
            storage.ensure_month(at.date().replace(month=month, day=1))

        dropped = services.drop_old_partitions(at=at)

        assert "telemetry_block_20310512" in dropped
        assert "telemetry_rollup_203102" in dropped
        assert not {"telemetry_block_20310513", "telemetry_rollup_203103"} & set(dropped)
        assert services.drop_old_partitions(at=at) == []

    def test_prepares_the_months_that_are_to_come(self):
        services.prepare_partitions(at=datetime(2031, 12, 31, tzinfo=UTC))

        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('telemetry_rollup_203201') IS NOT NULL")
            assert cursor.fetchone() == (True,)

    def test_a_partition_has_the_index_that_finds_new_blocks(self):
        record(make.block(1, NOON, {HOST: [1.0]}), at=NOON)

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_indexes WHERE tablename = %s AND indexdef LIKE %s",
                [storage.partition_of(NOON.date()), "%USING brin (received_at)%"],
            )
            assert cursor.fetchone() == (1,)


class TestTheDoor:
    def test_picks_fields_devices_and_says_the_source(self):
        node, now = rows.node(), timezone.now()
        start = series.window_of(now - timedelta(hours=2))
        record(*steady(10, start=start, node=node.id), at=now - timedelta(hours=1))
        rollups.roll_up(at=now)

        answer = Client(headers=rows.bearer(rows.user())).get(
            f"/api/v1/nodes/{node.id}/series",
            {
                "since": (now - timedelta(hours=20)).isoformat(),
                "fields": ["cpu_percent", "cpu_percent:max"],
                "devices": "host",
            },
        )

        body = answer.json()
        assert (answer.status_code, body["source"], body["step"]) == (200, "rollup", 120)
        assert set(body["series"]) == {"host"}
        assert set(body["series"]["host"]) == {"cpu_percent", "cpu_percent:max"}


def test_series_that_come_one_by_one_are_all_there():
    grid = Grid(start=int(NOON.timestamp()), step=1, buckets=200)
    for n in range(200):
        block = make.block(1, NOON, {(f"GPU-{n}", "power_watts"): [float(n)]})
        grid.add(block.item.data, start=NOON + n * SECOND)

    assert {
        device: fields["power_watts"][int(device[4:])] for device, fields in grid.result().items()
    } == {f"GPU-{n}": float(n) for n in range(200)}
