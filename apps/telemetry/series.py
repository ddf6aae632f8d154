"""Sample blocks laid on one grid of time. Pure: bytes in, columns out.

A reading falls into the bucket of its time. Gauges are averaged within a bucket; counters and
states are not to be averaged: of them the last one counts. An empty bucket is a gap, never a zero.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.protocol.blocks import BlockHeader

HOST = "host"
MAX_BUCKETS = 720
MAX_ROWS = 12_000  # of one grid, each layout's series counted: what a node may make us hold
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
LAST_COUNTS = frozenset(
    {
        "clocks_event_reasons",
        "ecc_corrected",
        "ecc_uncorrected",
        "energy_joules",
        "pcie_link_generation",
        "pcie_link_width",
        "pcie_replay",
        "performance_state",
    }
)


def step_for(seconds: float) -> int:
    """The finest step, in seconds, that shows so long a time in not too many buckets."""
    return next((step for step in STEPS if seconds / step <= MAX_BUCKETS), STEPS[-1])


Key = tuple[str, str]  # device UUID or "", field


class Grid:
    """``buckets`` readings of every series, ``step`` seconds apart from ``start`` on."""

    def __init__(self, *, start: float, step: float, buckets: int) -> None:
        self._start = start
        self._step = step
        self._buckets = buckets
        self._layouts: dict[tuple[Key, ...], _Layout] = {}

    def add(self, header: BlockHeader, columns: bytes, *, start: float) -> None:
        """Lay a block on the grid; ``start`` is when it begins by the server's clock."""
        times = start + header.step * np.arange(header.count)
        places = np.floor((times - self._start) / self._step).astype(np.int64)
        inside = np.flatnonzero((places >= 0) & (places < self._buckets))
        if not inside.size or not header.series:
            return
        keys = tuple(header.series)  # the same for block after block
        layout = self._layouts.get(keys)
        if layout is None:
            if sum(map(len, self._layouts)) + len(keys) > MAX_ROWS:
                return  # no host's devices come and go as often: a gap
            layout = self._layouts[keys] = _Layout(keys, self._buckets)
        values, valid = _matrix(header, columns)
        for sample in inside.tolist():
            layout.add(int(places[sample]), values[:, sample], valid[:, sample])

    def result(self) -> dict[str, dict[str, list[float | None]]]:
        """Device (or host) -> field -> readings, None for a gap."""
        out: dict[str, dict[str, list[float | None]]] = {}
        for layout in self._layouts.values():
            for (device, name), readings in layout.columns():
                fields = out.setdefault(device or HOST, {})
                earlier = fields.get(name)
                fields[name] = readings if earlier is None else _joined(earlier, readings)
        return {
            device: {
                name: readings
                for name, readings in sorted(fields.items())
                if any(reading is not None for reading in readings)
            }
            for device, fields in sorted(out.items())
        }


class _Layout:
    """The buckets of blocks that hold the same series in the same order."""

    def __init__(self, keys: tuple[Key, ...], buckets: int) -> None:
        self._keys = keys
        self._last = np.array([name in LAST_COUNTS for _, name in keys])
        self._sums = np.zeros((len(keys), buckets))
        self._counts = np.zeros((len(keys), buckets), np.int64)

    def add(self, place: int, values: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        replaced = valid & self._last
        added = valid & ~self._last
        self._sums[added, place] += values[added]
        self._counts[added, place] += 1
        self._sums[replaced, place] = values[replaced]
        self._counts[replaced, place] = 1

    def columns(self) -> Iterator[tuple[Key, list[float | None]]]:
        means = self._sums / np.maximum(self._counts, 1)
        for row, key in enumerate(self._keys):
            pairs = zip(means[row].tolist(), self._counts[row].tolist(), strict=True)
            yield key, [mean if count else None for mean, count in pairs]


def _joined(earlier: Sequence[float | None], later: Sequence[float | None]) -> list[float | None]:
    """A device came or went: its host's series go on in blocks of another layout."""
    return [e if n is None else n for e, n in zip(earlier, later, strict=True)]


def _matrix(header: BlockHeader, columns: bytes) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Every series of a block at once: readings, and which of them are there."""
    bitmap = (header.count + 7) // 8
    raw = np.frombuffer(columns, np.uint8).reshape(len(header.series), bitmap + 4 * header.count)
    values = np.ascontiguousarray(raw[:, bitmap:]).view("<f4").astype(np.float64)
    bits = np.unpackbits(raw[:, :bitmap], axis=1, bitorder="little")[:, : header.count]
    return values, bits.astype(np.bool_) & np.isfinite(values)


def significant(values: Sequence[float | None], digits: int = 7) -> list[float | None]:
    """Readings without the digits that a float32 never had."""
    return [None if v is None else float(f"{v:.{digits}g}") for v in values]
