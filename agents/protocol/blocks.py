"""Ten-second sample blocks: float32 columns with a validity bitmap, compressed.

Layout before compression: ``magic "DHB1" | header length u32 | header (MessagePack) | columns``.
Each column is ``ceil(n / 8)`` bytes of validity bits (least significant first) and then ``n``
little-endian float32; missing readings are 0.0 with their bit clear: a gap is never read as a zero.
Compressed with zlib (RFC 1950).
"""

import struct
import zlib
from collections.abc import Mapping, Sequence

import msgspec

MAGIC = b"DHB1"
MAX_UNPACKED_BYTES = 8 * 1024 * 1024
MAX_SERIES = 100_000
MAX_SECONDS = 600


class BlockHeader(msgspec.Struct, frozen=True):
    start: float  # Unix seconds of the first sample
    step: float  # seconds between samples
    count: int  # samples per series
    series: list[tuple[str, str]]  # (device UUID or "" for the host, field)


class Malformed(ValueError):
    """The bytes are not a sample block."""


Values = Sequence[float | None]


def pack(start: float, step: float, series: Mapping[tuple[str, str], Values]) -> bytes:
    """Pack equally long series of readings; ``None`` is a gap."""
    count = len(next(iter(series.values()), ()))
    header = msgspec.msgpack.encode(BlockHeader(start, step, count, list(series)))
    parts = [MAGIC, struct.pack("<I", len(header)), header]
    for values in series.values():
        bits = 0
        for index, value in enumerate(values):
            bits |= (value is not None) << index
        parts.append(bits.to_bytes((count + 7) // 8, "little"))
        parts.append(struct.pack(f"<{count}f", *(0.0 if v is None else v for v in values)))
    return zlib.compress(b"".join(parts), 6)


def header_of(data: bytes) -> BlockHeader:
    """The header alone, enough to file a block; raises ``Malformed``."""
    return _header(_inflate(data, MAX_UNPACKED_BYTES))[0]


def columns_of(data: bytes) -> tuple[BlockHeader, bytes]:
    """The header and the columns as they lie, all of one length; raises ``Malformed``."""
    raw = _inflate(data, MAX_UNPACKED_BYTES)
    header, at = _header(raw)
    if len(raw) != at + len(header.series) * ((header.count + 7) // 8 + 4 * header.count):
        raise Malformed("the columns do not fill the block")
    return header, raw[at:]


def unpack(data: bytes) -> tuple[BlockHeader, dict[tuple[str, str], list[float | None]]]:
    """The inverse of ``pack``; raises ``Malformed``."""
    header, raw = columns_of(data)
    at, bitmap_bytes = 0, (header.count + 7) // 8
    out: dict[tuple[str, str], list[float | None]] = {}
    for key in header.series:
        bits = int.from_bytes(raw[at : at + bitmap_bytes], "little")
        at += bitmap_bytes
        numbers = struct.unpack_from(f"<{header.count}f", raw, at)
        at += 4 * header.count
        out[key] = [n if bits >> i & 1 else None for i, n in enumerate(numbers)]
    return header, out


def _inflate(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, limit)
    except zlib.error as error:
        raise Malformed("not zlib") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise Malformed("too long, or cut short")
    return raw


def _header(raw: bytes) -> tuple[BlockHeader, int]:
    if raw[:4] != MAGIC or len(raw) < 8:
        raise Malformed("wrong magic")
    (length,) = struct.unpack_from("<I", raw, 4)
    try:
        header = msgspec.msgpack.decode(raw[8 : 8 + length], type=BlockHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("unreadable header") from error
    if not 0 <= header.count <= MAX_SECONDS or len(header.series) > MAX_SERIES:
        raise Malformed("more readings than a block may hold")
    return header, 8 + length
