"""Ten seconds of readings in one piece: nothing of it is lost, nothing malformed is read."""

import math
import struct
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocol.blocks import (
    MAGIC,
    MAX_SECONDS,
    MAX_UNPACKED_BYTES,
    BlockHeader,
    Malformed,
    header_of,
    pack,
    unpack,
)

START = 1_780_315_200.0
SERIES = {("", "cpu_percent"): [1.0, None, 3.5], ("GPU-1", "power_watts"): [0.0, 312.5, None]}

values = st.one_of(st.none(), st.floats(width=32, allow_nan=False))
names = st.tuples(st.text(max_size=8), st.text(max_size=8))


def raw(header: bytes, columns: bytes = b"", *, magic: bytes = MAGIC) -> bytes:
    return zlib.compress(magic + struct.pack("<I", len(header)) + header + columns)


def header(count: int = 1, series: int = 1) -> bytes:
    listed = [("", f"field-{n}") for n in range(series)]
    return msgspec.msgpack.encode(BlockHeader(START, 1.0, count, listed))


class TestABlock:
    def test_is_unpacked_as_it_was_packed(self) -> None:
        told, series = unpack(pack(START, 1.0, SERIES))

        assert series == SERIES
        assert (told.start, told.step, told.count) == (START, 1.0, 3)
        assert told.series == list(SERIES)

    def test_is_filed_by_its_header_alone(self) -> None:
        assert header_of(pack(START, 1.0, SERIES)) == unpack(pack(START, 1.0, SERIES))[0]

    def test_may_be_empty(self) -> None:
        assert unpack(pack(START, 1.0, {})) == (BlockHeader(START, 1.0, 0, []), {})

    def test_never_reads_a_gap_as_a_zero(self) -> None:
        _, series = unpack(pack(START, 1.0, {("", "x"): [None, 0.0]}))

        assert series == {("", "x"): [None, 0.0]}

    def test_keeps_what_is_no_number(self) -> None:
        _, series = unpack(pack(START, 1.0, {("", "x"): [math.nan, math.inf, -math.inf]}))
        told = series["", "x"]

        assert told[0] is not None
        assert math.isnan(told[0])
        assert told[1:] == [math.inf, -math.inf]

    @given(
        st.integers(0, 40).flatmap(
            lambda count: st.dictionaries(
                names, st.lists(values, min_size=count, max_size=count), max_size=5
            )
        )
    )
    def test_of_any_readings_is_unpacked_as_it_was_packed(
        self, series: dict[tuple[str, str], list[float | None]]
    ) -> None:
        assert unpack(pack(START, 1.0, series))[1] == series


class TestMalformed:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"not zlib",
            zlib.compress(b""),
            zlib.compress(b"DHB1"),
            zlib.compress(b"DHB1\x00\x00"),
            raw(header(), bytes(5), magic=b"DHB2"),
            raw(b"\xc1"),
            raw(b""),
            raw(msgspec.msgpack.encode([1, 2])),
            raw(header()),
            raw(header(), bytes(4)),
            raw(header(), bytes(6)),
            raw(header(count=-1)),
            raw(header(count=MAX_SECONDS + 1), bytes(5000)),
            zlib.compress(MAGIC + struct.pack("<I", 2**32 - 1) + header()),
            pack(START, 1.0, SERIES)[:-3],
        ],
        ids=range(16),
    )
    def test_is_refused(self, data: bytes) -> None:
        with pytest.raises(Malformed):
            unpack(data)

    def test_bomb_is_not_inflated(self) -> None:
        bomb = zlib.compress(MAGIC + bytes(MAX_UNPACKED_BYTES * 4), 9)
        assert len(bomb) < 64 * 1024

        with pytest.raises(Malformed, match="too long"):
            unpack(bomb)

    @given(st.binary(max_size=200))
    def test_of_any_kind_is_refused(self, data: bytes) -> None:
        with pytest.raises(Malformed):
            unpack(data)

    @given(st.binary(max_size=200))
    def test_below_the_compression_is_refused(self, data: bytes) -> None:
        with pytest.raises(Malformed):
            unpack(zlib.compress(MAGIC + data))

    @given(st.data())
    @settings(max_examples=300)
    def test_by_one_byte_is_refused_or_read_in_its_shape(self, data: st.DataObject) -> None:
        plain = bytearray(zlib.decompress(pack(START, 1.0, SERIES)))
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
        try:
            told, series = unpack(zlib.compress(bytes(plain)))
        except Malformed:
            return
        assert all(len(column) == told.count for column in series.values())
