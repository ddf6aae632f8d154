from datetime import timedelta

import pytest

from agents.protocol.link import MAX_FRAME_BYTES
from apps.common.ids import uuid7
from apps.telemetry import selectors, services
from apps.telemetry.models import LogChunk
from apps.telemetry.services import Stored
from tests.apps.telemetry import make
from tests.apps.telemetry.make import NOON

pytestmark = pytest.mark.django_db


def append(*chunks):
    return services.append_logs(sent=chunks, at=NOON)


def whole(workload):
    piece = selectors.log_slice(workload, 0, 10**6)
    return piece.data


class TestAppendLogs:
    def test_keeps_the_bytes_of_several_workloads_in_order(self):
        a, b = uuid7(), uuid7()

        stored = append(
            make.chunk(a, 0, b"one "), make.chunk(b, 0, b"\xff\x00"), make.chunk(a, 4, b"two")
        )

        assert stored == {a: Stored(7, in_step=True), b: Stored(2, in_step=True)}
        assert (whole(a), whole(b)) == (b"one two", b"\xff\x00")

    def test_stores_nothing_twice(self):
        a = uuid7()
        append(make.chunk(a, 0, b"hello"))

        stored = append(make.chunk(a, 0, b"hello"), make.chunk(a, 3, b"lo"))

        assert stored == {a: Stored(5, in_step=True)}
        assert LogChunk.objects.filter(workload_id=a).count() == 1

    def test_takes_of_an_overlap_only_what_is_new(self):
        a = uuid7()
        append(make.chunk(a, 0, b"hello"))

        stored = append(make.chunk(a, 3, b"lo world"))

        assert stored == {a: Stored(11, in_step=True)}
        assert whole(a) == b"hello world"

    def test_refuses_a_hole_and_says_where_to_go_on(self):
        a = uuid7()
        append(make.chunk(a, 0, b"hello"))

        stored = append(make.chunk(a, 9, b"later"))

        assert stored == {a: Stored(5, in_step=False)}
        assert whole(a) == b"hello"

    def test_takes_the_servers_time_where_the_nodes_cannot_be_believed(self):
        a = uuid7()
        append(make.chunk(a, 0, b"x", at=NOON.replace(year=2099)))

        assert LogChunk.objects.get(workload_id=a).at == NOON

    def test_tells_watchers_once_how_far_the_log_goes(
        self, told, django_capture_on_commit_callbacks
    ):
        a = uuid7()
        with django_capture_on_commit_callbacks(execute=True):
            append(make.chunk(a, 0, b"one"), make.chunk(a, 3, b"two"))
        with django_capture_on_commit_callbacks(execute=True):
            append(make.chunk(a, 0, b"one"))

        assert told == [(f"workload.{a}", {"event": "log.grew", "workload_id": a, "offset": 6})]


class TestSkip:
    def test_leaves_a_counted_hole_that_reading_steps_over(self):
        a = uuid7()
        append(make.chunk(a, 0, b"one"))

        stored = services.skip(item=make.chunk(a, 3, b"BAD").item, at=NOON)
        append(make.chunk(a, 6, b"two"))

        assert stored == Stored(6, in_step=True)
        first = selectors.log_slice(a, 0, 100)
        assert (first.data, first.next_offset, first.dropped_bytes) == (b"one", 3, 3)
        second = selectors.log_slice(a, first.next_offset, 100)
        assert (second.offset, second.data, second.next_offset) == (6, b"two", 9)

    def test_does_nothing_twice(self):
        a = uuid7()
        item = make.chunk(a, 0, b"BAD").item

        services.skip(item=item, at=NOON)

        assert services.skip(item=item, at=NOON) == Stored(3, in_step=True)
        assert selectors.log_slice(a, 0, 9).dropped_bytes == 3


class TestLogSlice:
    def test_reads_any_range_across_chunks(self):
        a = uuid7()
        text = bytes(range(100))
        append(*(make.chunk(a, at, text[at : at + 7]) for at in range(0, 100, 7)))

        for offset in range(0, 100, 13):
            for limit in (1, 10, 50):
                piece = selectors.log_slice(a, offset, limit)
                assert piece.data == text[offset : offset + limit]
                assert piece.next_offset == offset + len(piece.data)
                assert piece.stored == 100

    def test_finds_an_offset_far_into_the_largest_chunk(self):
        a = uuid7()
        data = bytes(MAX_FRAME_BYTES - 1)
        append(make.chunk(a, 0, data), make.chunk(a, len(data), b"end"))

        assert selectors.log_slice(a, len(data) - 1, 9).data == b"\x00end"

    def test_says_when_what_it_gives_was_written(self):
        a, later = uuid7(), NOON + timedelta(seconds=5)
        services.append_logs(sent=[make.chunk(a, 0, b"one ")], at=NOON)
        services.append_logs(sent=[make.chunk(a, 4, b"two", at=later)], at=later)

        assert selectors.log_slice(a, 2, 100).times == [(2, NOON), (4, later)]
        assert selectors.log_offset_at(a, NOON + timedelta(seconds=1)) == 4
        assert selectors.log_offset_at(a, later + timedelta(seconds=1)) == 7  # the end so far
        assert selectors.log_offset_at(uuid7(), NOON) == 0

    def test_is_empty_at_the_end_beyond_it_and_where_there_is_no_log(self):
        a = uuid7()
        append(make.chunk(a, 0, b"hello"))

        for offset in (5, 50):
            piece = selectors.log_slice(a, offset, 10)
            assert (piece.offset, piece.next_offset, piece.data) == (5, 5, b"")
        assert selectors.log_slice(uuid7(), 0, 10).stored == 0
