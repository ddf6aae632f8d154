"""What a gateway was asked, second by second: as it is counted, stored and laid on a grid. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from apps.telemetry import histogram

WINDOW_SECONDS = 10


class Tally(msgspec.Struct, array_like=True):
    """Requests that ended within some time."""

    requests: int = 0
    errors: int = 0  # answered with 5xx
    statuses: dict[int, int] = {}  # first digit -> requests
    refused: dict[str, int] = {}  # code -> requests
    latencies: dict[int, int] = {}  # bucket of `histogram` -> requests that reached a replica
    queue_us: int = 0  # sums over what was answered
    model_us: int = 0
    rows: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0

    def add(self, other: "Tally") -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.queue_us += other.queue_us
        self.model_us += other.model_us
        self.rows += other.rows
        self.received_bytes += other.received_bytes
        self.sent_bytes += other.sent_bytes
        _add(self.statuses, other.statuses)
        _add(self.refused, other.refused)
        _add(self.latencies, other.latencies)

    def milliseconds(self, share: float) -> float | None:
        """A percentile of the latencies, to three digits."""
        microseconds = histogram.percentile(self.latencies, share)
        return None if microseconds is None else float(f"{microseconds / 1000:.3g}")


def _add(counts: dict[Any, int], others: Mapping[Any, int]) -> None:
    for name, count in others.items():
        counts[name] = counts.get(name, 0) + count


class Window(msgspec.Struct, array_like=True):
    """Ten seconds, aligned to the clock: the whole, and each second in which something ended."""

    total: Tally
    seconds: dict[int, Tally]


encode_window = msgspec.msgpack.Encoder().encode
decode_window = msgspec.msgpack.Decoder(Window).decode


class TrafficSeries(msgspec.Struct, kw_only=True):
    """Counts and percentiles on one grid of time. None: nothing happened."""

    start: datetime
    step: int  # seconds
    requests: list[int | None]
    errors: list[int | None]
    refused: dict[str, list[int | None]]
    p50_ms: list[float | None]
    p95_ms: list[float | None]
    p99_ms: list[float | None]
    rows: list[int | None]


class TrafficGrid:
    """``buckets`` tallies, ``step`` seconds apart from ``start`` on (a multiple of the step)."""

    def __init__(self, *, start: int, step: int, buckets: int) -> None:
        self._start = start
        self._step = step
        self._tallies: list[Tally | None] = [None] * buckets

    def add(self, window: Window, *, start: int) -> None:
        """Lay a window on the grid; its seconds only where the grid is finer than it."""
        if self._step % WINDOW_SECONDS == 0:
            self._add(start, window.total)
            return
        for second, tally in window.seconds.items():
            self._add(start + second, tally)

    def _add(self, at: int, tally: Tally) -> None:
        place = (at - self._start) // self._step
        if not 0 <= place < len(self._tallies):
            return
        held = self._tallies[place]
        if held is None:
            held = self._tallies[place] = Tally()
        held.add(tally)

    def series(self, start: datetime) -> TrafficSeries:
        codes = sorted({code for tally in self._tallies if tally for code in tally.refused})
        return TrafficSeries(
            start=start,
            step=self._step,
            requests=self._each(lambda tally: tally.requests),
            errors=self._each(lambda tally: tally.errors),
            refused={code: self._of(code) for code in codes},
            p50_ms=self._each(lambda tally: tally.milliseconds(0.50)),
            p95_ms=self._each(lambda tally: tally.milliseconds(0.95)),
            p99_ms=self._each(lambda tally: tally.milliseconds(0.99)),
            rows=self._each(lambda tally: tally.rows),
        )

    def _of(self, code: str) -> list[int | None]:
        return self._each(lambda tally: tally.refused.get(code, 0))

    def _each(self, read: Callable[[Tally], Any]) -> list[Any]:
        return [None if tally is None else read(tally) for tally in self._tallies]
