import json
import math
from pathlib import Path
from uuid import UUID

import pytest

from agents.node.tails import LogTail, MetricsTail, read_points
from agents.protocol.link import CHUNK_BYTES

WORKLOAD = UUID(int=1)


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


class TestReadPoints:
    def test_takes_both_shapes(self) -> None:
        data = line(name="loss", value=0.5, step=3, at=9.0) + line(step=4, metrics={"a": 1, "b": 2})

        points, unreadable = read_points(data, now=100.0)

        assert [(p.name, p.step, p.value, p.at) for p in points] == [
            ("loss", 3, 0.5, 9.0),
            ("a", 4, 1.0, 100.0),
            ("b", 4, 2.0, 100.0),
        ]
        assert unreadable == 0

    @pytest.mark.parametrize(
        ("written", "value"),
        [
            (b'"NaN"', math.nan),
            (b'"Infinity"', math.inf),
            (b'"-Infinity"', -math.inf),
            (b"NaN", math.nan),
            (b"-Infinity", -math.inf),
            (b"1e400", math.inf),
        ],
    )
    def test_keeps_what_is_no_number(self, written: bytes, value: float) -> None:
        points, _ = read_points(b'{"name": "x", "step": 1, "value": ' + written + b"}\n", now=0.0)

        assert points[0].value == value or (math.isnan(value) and math.isnan(points[0].value))

    @pytest.mark.parametrize(
        "bad",
        [
            b"not json",
            b"[]",
            b"7",
            b'{"name": "x", "step": 1}',
            b'{"name": "", "step": 1, "value": 1}',
            b'{"name": "a\\u0000b", "step": 1, "value": 1}',
            b'{"name": 7, "step": 1, "value": 1}',
            b'{"name": "x", "step": 1.5, "value": 1}',
            b'{"name": "x", "step": true, "value": 1}',
            b'{"name": "x", "step": 1, "value": true}',
            b'{"name": "x", "step": 1, "value": "much"}',
            b'{"name": "x", "step": 1, "value": null}',
            b'{"name": "x", "step": 99999999999999999999, "value": 1}',
            b'{"name": "x", "step": NaN, "value": 1}',
            b'{"name": "x", "step": 1, "value": 1, "at": Infinity}',
            b'{"step": 1, "metrics": [1]}',
            b"[" * 5000,
            b"\xff\xfe",
        ],
    )
    def test_counts_a_line_it_cannot_read(self, bad: bytes) -> None:
        points, unreadable = read_points(bad + b"\n" + line(name="y", step=1, value=1), now=0.0)

        assert [p.name for p in points] == ["y"]
        assert unreadable == 1


class TestLogTail:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "log"

    @pytest.fixture
    def tail(self, path: Path) -> LogTail:
        return LogTail(path, WORKLOAD, 7, acknowledged=0)

    def test_has_nothing_before_there_is_a_file(self, tail: LogTail) -> None:
        assert tail.next() is None

    def test_asks_with_one_piece_first_and_then_goes_on(self, path: Path, tail: LogTail) -> None:
        path.write_bytes(b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES + b"c")
        first = tail.next()
        assert first is not None
        assert (first.offset, len(first.data)) == (0, CHUNK_BYTES)
        assert tail.next() is None  # until it is known where the other side is

        tail.acknowledge(CHUNK_BYTES)

        second, third = tail.next(), tail.next()
        assert second is not None
        assert third is not None
        assert (third.offset, third.data) == (2 * CHUNK_BYTES, b"c")

    def test_a_new_link_begins_where_the_last_was_acknowledged(
        self, path: Path, tail: LogTail
    ) -> None:
        path.write_bytes(b"0123456789")
        tail.next()

        tail.rewind()

        again = tail.next()
        assert again is not None
        assert (again.offset, again.data) == (0, b"0123456789")

    @pytest.mark.parametrize("known", [4, 10])
    def test_goes_on_from_where_the_other_side_says_it_is(
        self, path: Path, tail: LogTail, known: int
    ) -> None:
        path.write_bytes(b"0123456789")
        tail.next()
        path.write_bytes(b"0123456789abc")

        tail.acknowledge(known)

        following = tail.next()
        assert following is not None
        assert (following.offset, following.data) == (known, b"0123456789abc"[known:])

    def test_reads_through_no_link(self, path: Path, tail: LogTail, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        path.symlink_to(secret)

        assert tail.size() == 0
        assert tail.next() is None


class TestMetricsTail:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "metrics.jsonl"

    @pytest.fixture
    def tail(self, path: Path) -> MetricsTail:
        return MetricsTail(path, WORKLOAD, 7, acknowledged=0)

    def test_sends_whole_lines_only(self, path: Path, tail: MetricsTail) -> None:
        whole = line(name="x", step=1, value=1)
        path.write_bytes(whole + whole[:10])

        batch = tail.next()

        assert batch is not None
        assert (batch.offset, batch.end, len(batch.points)) == (0, len(whole), 1)
        tail.acknowledge(batch.end)
        assert tail.next() is None

    def test_takes_the_last_line_without_an_end_once_the_payload_is_gone(
        self, path: Path, tail: MetricsTail
    ) -> None:
        path.write_bytes(line(name="x", step=1, value=1)[:-1])
        assert tail.next() is None

        tail.complete = True

        batch = tail.next()
        assert batch is not None
        assert len(batch.points) == 1

    def test_an_endless_line_is_counted_and_passed_over(
        self, path: Path, tail: MetricsTail
    ) -> None:
        path.write_bytes(b"x" * (CHUNK_BYTES + 10) + b"\n" + line(name="y", step=1, value=1))
        first = tail.next()
        assert first is not None
        assert (first.end, first.unreadable_lines, first.points) == (CHUNK_BYTES, 1, [])
        tail.acknowledge(first.end)

        second = tail.next()

        assert second is not None
        assert [p.name for p in second.points] == ["y"]
