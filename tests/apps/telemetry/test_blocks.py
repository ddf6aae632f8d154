import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from agents.protocol.link import Block as WireBlock
from apps.common.ids import uuid7
from apps.telemetry import selectors, series, services, storage
from apps.telemetry.models import Block, Gap
from apps.telemetry.services import Sent
from tests.apps.live.server import until
from tests.apps.telemetry import make
from tests.apps.telemetry.make import NOON

pytestmark = pytest.mark.django_db
HOST = ("", "cpu_percent")
GPU = ("GPU-1", "power_watts")


def record(*blocks, at=NOON):
    services.record_blocks(sent=blocks, at=at)


def partitions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'telemetry_block'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


class TestRecordBlocks:
    def test_files_blocks_by_day_and_makes_the_days_they_need(self):
        midnight = datetime(2026, 6, 2, tzinfo=UTC)
        before, after = midnight - timedelta(seconds=10), midnight

        record(
            make.block(1, before, {HOST: [1.0] * 10}),
            make.block(2, after, {HOST: [2.0] * 10}),
            at=midnight,
        )

        assert {"telemetry_block_20260601", "telemetry_block_20260602"} <= partitions()
        assert [
            (b.start_at, b.end_at, b.received_at) for b in Block.objects.order_by("start_at")
        ] == [(before, midnight, midnight), (after, after + timedelta(seconds=10), midnight)]

    def test_keeps_the_bytes_as_they_came(self):
        sent = make.block(1, NOON, {HOST: [1.0, None, 3.0]})

        record(sent)

        assert bytes(Block.objects.get().data) == sent.item.data

    def test_sets_the_time_right_by_the_nodes_skew(self):
        record(make.block(1, NOON + timedelta(hours=2), {HOST: [1.0]}, skew=7200.0))

        assert Block.objects.get().start_at == NOON

    @pytest.mark.parametrize("off", [timedelta(days=-8), timedelta(minutes=6)])
    def test_counts_a_gap_for_a_time_nobody_can_believe(self, off):
        node = uuid7()

        record(make.block(1, NOON + off, {HOST: [1.0]}, node=node))

        assert not Block.objects.exists()
        gaps = selectors.series(node, NOON, NOON + timedelta(seconds=1)).gaps
        assert [(gap.reason, gap.blocks) for gap in gaps] == [("out_of_range", 1)]

    def test_counts_what_is_no_block_and_stores_the_others(self):
        node = uuid7()
        good = make.block(3, NOON, {HOST: [1.0]}, node=node)
        whole = good.item.data

        record(
            Sent(node, 0.0, WireBlock(seq=1, start=0.0, data=b"garbage")),
            Sent(node, 0.0, WireBlock(seq=2, start=0.0, data=whole[:-4])),
            good,
            make.block(4, NOON, {}, node=node),
            make.block(5, NOON, {HOST: [1.0] * 100}, node=node, step=60.0),
            make.block(6, NOON, {HOST: [1.0]}, node=node, step=float("nan")),
        )

        assert [block.seq for block in Block.objects.all()] == [3]
        assert Gap.objects.get(node_id=node).blocks == 5

    def test_prepares_the_next_days(self):
        services.prepare_partitions(at=NOON)
        services.prepare_partitions(at=NOON)

        assert {storage.partition_of(NOON.date() + timedelta(days=n)) for n in range(3)} <= (
            partitions()
        )


@pytest.mark.django_db(transaction=True)
def test_two_writers_may_need_the_same_new_day_at_once():
    day = NOON.date() - timedelta(days=400)
    outcome: list[object] = []

    def second() -> None:
        try:
            with transaction.atomic():
                storage.ensure_partition(day)
            outcome.append("made or found")
        except Exception as error:  # noqa: BLE001  # shown by the assertion
            outcome.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=second)
    with transaction.atomic():
        storage.ensure_partition(day)
        other.start()
        until(_somebody_waits_for_a_lock)
    other.join(10)

    assert outcome == ["made or found"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {storage.partition_of(day)}")


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        (waits,) = cursor.fetchone()
    return bool(waits)


class TestSeries:
    def test_lays_blocks_side_by_side_with_gaps_where_nothing_was_read(self):
        record(
            make.block(1, NOON, {HOST: [1.0, 2.0, None], GPU: [300.0, None, 310.5]}),
            make.block(2, NOON + timedelta(seconds=5), {HOST: [6.0], GPU: [0.0]}),
        )

        found = selectors.series(make.NODE, NOON, NOON + timedelta(seconds=8))

        assert (found.start, found.step) == (NOON, 1)
        assert found.series == {
            "GPU-1": {"power_watts": [300.0, None, 310.5, None, None, 0.0, None, None]},
            "host": {"cpu_percent": [1.0, 2.0, None, None, None, 6.0, None, None]},
        }

    def test_averages_gauges_and_takes_the_last_of_counters(self):
        energy = ("GPU-1", "energy_joules")
        start = NOON
        record(
            *(
                make.block(
                    n,
                    start + timedelta(seconds=10 * n),
                    {
                        HOST: [float(s) for s in range(10)],
                        energy: [float(n * 10 + s) for s in range(10)],
                    },
                )
                for n in range(360)
            ),
            at=NOON + timedelta(hours=1),
        )

        found = selectors.series(make.NODE, start, start + timedelta(hours=1))

        assert found.step == 5
        assert found.series["host"]["cpu_percent"][:4] == [2.0, 7.0, 2.0, 7.0]
        assert found.series["GPU-1"]["energy_joules"][:3] == [4.0, 9.0, 14.0]
        assert len(found.series["host"]["cpu_percent"]) == 720

    def test_goes_on_when_a_device_is_added(self):
        record(
            make.block(1, NOON, {HOST: [1.0]}),
            make.block(2, NOON + timedelta(seconds=1), {HOST: [2.0], GPU: [9.0]}),
        )

        found = selectors.series(make.NODE, NOON, NOON + timedelta(seconds=2))

        assert found.series == {
            "GPU-1": {"power_watts": [None, 9.0]},
            "host": {"cpu_percent": [1.0, 2.0]},
        }

    def test_holds_only_so_many_series_however_a_node_changes_them(self, monkeypatch):
        monkeypatch.setattr(series, "MAX_ROWS", 3)
        one, two, three = (
            {HOST: [n], (f"GPU-{n:.0f}", "power_watts"): [n]} for n in (1.0, 2.0, 3.0)
        )
        record(
            make.block(1, NOON, one),
            make.block(2, NOON + timedelta(seconds=1), two),
            make.block(3, NOON + timedelta(seconds=2), one),
            make.block(4, NOON + timedelta(seconds=3), three),
        )

        found = selectors.series(make.NODE, NOON, NOON + timedelta(seconds=4))

        assert found.series == {
            "GPU-1": {"power_watts": [1.0, None, 1.0, None]},
            "GPU-2": {"power_watts": [None, 2.0, None, None]},
            "host": {"cpu_percent": [1.0, 2.0, 1.0, 3.0]},
        }

    def test_reads_no_other_node_and_no_other_time(self):
        record(
            make.block(1, NOON, {HOST: [1.0]}, node=uuid7()),
            make.block(1, NOON - timedelta(seconds=30), {HOST: [1.0] * 10}),
        )

        assert selectors.series(make.NODE, NOON, NOON + timedelta(seconds=9)).series == {}

    def test_shows_what_a_float32_held(self):
        record(make.block(1, NOON, {HOST: [0.1]}))

        found = selectors.series(make.NODE, NOON, NOON + timedelta(seconds=1))

        assert found.series == {"host": {"cpu_percent": [0.1]}}
