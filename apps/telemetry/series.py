"""Readings on one grid of time, from sample blocks and from rollups. Pure: bytes in, columns out.

A reading falls into the bucket of its time. Gauges are averaged within a bucket, and the highest of
them is known as well (`<field>:max`); counters and states are not to be averaged: of them the last
one counts. An empty bucket is a gap, never a zero.

A rollup is ten minutes of a node as a block of one-minute readings. Beside the fields it holds
their `:max`, and how many readings a minute was made of, so that coarser buckets weigh every second
alike: once for the node (`:samples`), and per field (`<field>:count`) where that differs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.protocol import blocks as packing

HOST = "host"
MAX_BUCKETS = 720
MAX_ROWS = 12_000  # of one grid: what a node may make us hold
MAX_LAYOUTS = 64
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
LAST_COUNTS = frozenset(
    {
        "clocks_event_reasons",
        "ecc_corrected",
        "ecc_corrected_ever",
        "ecc_uncorrected",
        "ecc_uncorrected_ever",
        "energy_joules",
        "nvlink_active",
        "nvlink_count",
        "nvlink_crc_errors",
        "nvlink_receive_bytes",
        "nvlink_recoveries",
        "nvlink_replays",
        "nvlink_transmit_bytes",
        "pcie_link_generation",
        "pcie_link_width",
        "pcie_replay",
        "performance_state",
        "remapped_rows_corrected",
        "remapped_rows_failed",
        "remapped_rows_pending",
        "remapped_rows_uncorrected",
        "retired_pages_double_bit",
        "retired_pages_single_bit",
        "throttled_power_seconds",
        "throttled_thermal_seconds",
    }
)

MINUTE = 60  # seconds between the readings of a rollup
WINDOW = 600  # seconds of one rollup, aligned to the epoch
MAX, COUNT = ":max", ":count"
SAMPLES = ("", ":samples")

_EPOCH = datetime.fromtimestamp(0, UTC)
_SECOND = 1_000_000  # in microseconds: whole numbers, so that an edge is an edge everywhere

Key = tuple[str, str]  # device UUID or "", field
Values = Sequence[float | None]


def step_for(seconds: float) -> int:
    """The finest step, in seconds, that shows so long a time in not too many buckets."""
    return next((step for step in STEPS if seconds / step <= MAX_BUCKETS), STEPS[-1])


def window_of(at: datetime) -> datetime:
    """The beginning of the rollup that a time falls into."""
    return at - (at - _EPOCH) % timedelta(seconds=WINDOW)


def window_number(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=WINDOW)


@dataclass(frozen=True)
class Wanted:
    """Which series somebody asks for; None is all of them. `<field>:max` has to be named."""

    fields: frozenset[str] | None = None
    devices: frozenset[str] | None = None  # "host" or device UUIDs

    def means(self, name: str) -> bool:
        return self.fields is None or name in self.fields

    def maxima(self, name: str) -> bool:
        return self.fields is not None and name + MAX in self.fields

    @property
    def has_maxima(self) -> bool:
        return any(name.endswith(MAX) for name in self.fields or ())

    def reads(self, key: Key) -> bool:
        device, name = key
        return (self.devices is None or (device or HOST) in self.devices) and (
            self.means(name) or self.maxima(name)
        )


class Grid:
    """``buckets`` readings of every series, ``step`` seconds apart from ``start`` on.

    What is added has to come in the order of its time: of counters the last one counts.
    """

    def __init__(
        self,
        *,
        start: int,
        step: int,
        buckets: int,
        wanted: Wanted | None = None,
        is_rollup: bool = False,
    ) -> None:
        self._start = start * _SECOND
        self._step = step * _SECOND
        self._buckets = buckets
        self._wanted = wanted or Wanted()
        self._has_maxima = is_rollup or self._wanted.has_maxima
        self._rows: dict[Key, int] = {}
        self._layouts: dict[tuple[Key, ...], _Layout] = {}
        self._sums = np.zeros((0, buckets))
        self._counts = np.zeros((0, buckets), np.int32)
        self._maxima = np.zeros((0, buckets), np.float32)

    def add(
        self,
        data: bytes,
        *,
        start: datetime,
        without: NDArray[np.int64] | None = None,
    ) -> bool:
        """Lay a block on the grid, except for what falls ``without``: windows, by their numbers.

        ``start`` is when it begins by the server's clock. Says whether any of it was laid.
        """
        header, columns = packing.columns_of(data)
        times = _times(header, start)
        places = (times - self._start) // self._step
        inside = (places >= 0) & (places < self._buckets)
        if without is not None and without.size:
            inside &= ~np.isin(times // (WINDOW * _SECOND), without)
        if not inside.any() or not header.series:
            return False
        layout = self._layout(tuple(header.series), _Layout.of_block)
        if layout.rows.size:
            values, valid = _matrix(header, columns, layout.read)
            self._lay(layout, places[inside], values[:, inside], valid[:, inside])
        return bool(layout.rows.size)

    def add_rollup(self, data: bytes, *, start: datetime) -> None:
        """Lay a rollup on the grid; each of its minutes weighs as much as it is made of."""
        header, columns = packing.columns_of(data)
        places = (_times(header, start) - self._start) // self._step
        inside = (places >= 0) & (places < self._buckets)
        if not inside.any():
            return
        layout = self._layout(tuple(header.series), _Layout.of_rollup)
        if layout.rows.size:
            values, valid = _matrix(header, columns, layout.read)
            weights, _ = _matrix(header, columns, layout.weights)
            tops, _ = _matrix(header, columns, layout.tops)
            self._lay(
                layout,
                places[inside],
                values[:, inside],
                valid[:, inside],
                weights=weights[:, inside],
                tops=tops[:, inside],
            )

    def result(self) -> dict[str, dict[str, list[float | None]]]:
        """Device (or host) -> field -> readings, None for a gap; series of nothing but gaps go."""
        out: dict[str, dict[str, list[float | None]]] = {}
        means = self._sums / np.maximum(self._counts, 1)
        for (device, name), row in sorted(self._rows.items()):
            there = self._counts[row] > 0
            if not there.any():
                continue
            fields = out.setdefault(device or HOST, {})
            if self._wanted.means(name):
                fields[name] = _gapped(means[row], there)
            if self._wanted.maxima(name) and name not in LAST_COUNTS:
                fields[name + MAX] = _gapped(self._maxima[row], there)
        return dict(sorted(out.items()))

    def rollup(self) -> bytes:
        """The grid, which `is_rollup`, as the block that `add_rollup` reads."""
        counts = self._counts
        samples = counts.max(axis=0, initial=0)
        series: dict[Key, Values] = {SAMPLES: _gapped(samples, samples > 0)}
        means = self._sums / np.maximum(counts, 1)
        for (device, name), row in sorted(self._rows.items()):
            there = counts[row] > 0
            series[device, name] = _gapped(means[row], there)
            if name not in LAST_COUNTS:
                series[device, name + MAX] = _gapped(self._maxima[row], there)
                if (counts[row] != samples)[there].any():
                    series[device, name + COUNT] = _gapped(counts[row], there)
        return packing.pack(self._start / _SECOND, self._step / _SECOND, series)

    def _layout(self, keys: tuple[Key, ...], read: "Callable[..., _Layout]") -> "_Layout":
        """Where the series of a block go: the same for block after block."""
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= MAX_LAYOUTS:
                self._layouts.clear()  # they only save time
            layout = self._layouts[keys] = read(keys, self._row)
            missing = len(self._rows) - len(self._sums)
            if missing > 0:
                # by as much again, so that series which come one by one are not copied each time
                more = max(missing, min(len(self._sums), MAX_ROWS - len(self._sums)))
                grown = ((0, more), (0, 0))
                self._sums = np.pad(self._sums, grown)
                self._counts = np.pad(self._counts, grown)
                self._maxima = np.pad(self._maxima, grown, constant_values=-np.inf)
        return layout

    def _row(self, key: Key) -> int | None:
        """Where a series goes; None if nobody wants it, or it is one too many: a gap."""
        if ":" in key[1] or not self._wanted.reads(key):
            return None
        if key not in self._rows and len(self._rows) >= MAX_ROWS:
            return None  # no host's devices come and go as often
        return self._rows.setdefault(key, len(self._rows))

    def _lay(
        self,
        layout: "_Layout",
        places: NDArray[np.int64],
        values: NDArray[Any],
        valid: NDArray[np.bool_],
        *,
        weights: NDArray[Any] | None = None,
        tops: NDArray[Any] | None = None,
    ) -> None:
        values = np.where(valid, values, 0.0)
        counted = valid.astype(np.int32) if weights is None else (valid * weights).astype(np.int32)
        weighed = values if weights is None else values * counted
        edges = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        gauges, rows = layout.gauges, layout.rows[layout.gauges]
        lasting = layout.lasting
        for begin, end in pairwise(edges):
            place, piece = int(places[begin]), slice(begin, end)
            self._sums[rows, place] += weighed[gauges, piece].sum(axis=1)
            self._counts[rows, place] += counted[gauges, piece].sum(axis=1)
            if self._has_maxima:
                seen = values if tops is None else tops
                highest = np.where(valid[gauges, piece], seen[gauges, piece], -np.inf).max(axis=1)
                self._maxima[rows, place] = np.maximum(self._maxima[rows, place], highest)
            if lasting.size:
                there = valid[lasting, piece]
                last = end - begin - 1 - np.argmax(there[:, ::-1], axis=1)
                some = there.any(axis=1)
                kept = layout.rows[lasting[some]]
                self._sums[kept, place] = values[lasting[some], begin + last[some]]
                self._counts[kept, place] = 1


class _Layout:
    """Which series of a block are read, and the rows of the grid that they belong to."""

    def __init__(
        self,
        names: Sequence[str],
        read: Sequence[int],
        rows: Sequence[int],
        weights: Sequence[int] = (),
        tops: Sequence[int] = (),
    ) -> None:
        lasting = np.array([name in LAST_COUNTS for name in names], np.bool_)
        self.read = np.array(read, np.int64)
        self.rows = np.array(rows, np.int64)
        self.weights = np.array(weights, np.int64)
        self.tops = np.array(tops, np.int64)
        self.gauges = np.flatnonzero(~lasting)
        self.lasting = np.flatnonzero(lasting)

    @classmethod
    def of_block(cls, keys: Sequence[Key], row: Callable[[Key], int | None]) -> "_Layout":
        found = [(at, key, place) for at, key, place in _placed(keys, row)]
        return cls(
            [key[1] for _, key, _ in found],
            [at for at, _, _ in found],
            [place for _, _, place in found],
        )

    @classmethod
    def of_rollup(cls, keys: Sequence[Key], row: Callable[[Key], int | None]) -> "_Layout":
        where = {key: at for at, key in enumerate(keys)}
        found = [(at, key, place) for at, key, place in _placed(keys, row)]
        return cls(
            [key[1] for _, key, _ in found],
            [at for at, _, _ in found],
            [place for _, _, place in found],
            [where.get((key[0], key[1] + COUNT), where[SAMPLES]) for _, key, _ in found],
            [where.get((key[0], key[1] + MAX), at) for at, key, _ in found],
        )


def _placed(
    keys: Sequence[Key], row: Callable[[Key], int | None]
) -> Iterable[tuple[int, Key, int]]:
    for at, key in enumerate(keys):
        place = row(key)
        if place is not None:
            yield at, key, place


def _times(header: packing.BlockHeader, start: datetime) -> NDArray[np.int64]:
    """When each reading of a block was taken, in microseconds."""
    first = (start - _EPOCH) // timedelta(microseconds=1)
    offsets = np.rint(header.step * _SECOND * np.arange(header.count))
    return np.asarray(first + offsets.astype(np.int64), np.int64)


def _gapped(values: NDArray[Any], there: NDArray[np.bool_]) -> list[float | None]:
    pairs = zip(values.tolist(), there.tolist(), strict=True)
    return [value if is_there else None for value, is_there in pairs]


def _matrix(
    header: packing.BlockHeader, columns: bytes, rows: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Some series of a block at once: readings, and which of them are there."""
    bitmap = (header.count + 7) // 8
    raw = np.frombuffer(columns, np.uint8).reshape(len(header.series), bitmap + 4 * header.count)
    raw = raw[rows]
    values = np.ascontiguousarray(raw[:, bitmap:]).view("<f4").astype(np.float64)
    bits = np.unpackbits(raw[:, :bitmap], axis=1, bitorder="little")[:, : header.count]
    return values, bits.astype(np.bool_) & np.isfinite(values)


def significant(values: Sequence[float | None], digits: int = 7) -> list[float | None]:
    """Readings without the digits that a float32 never had."""
    return [None if v is None else float(f"{v:.{digits}g}") for v in values]
