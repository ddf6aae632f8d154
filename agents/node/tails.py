"""What a workload writes, read by offset and sent until acknowledged. The files are the spool."""

import json
import math
import os
import stat
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.node.outputs import is_plain
from agents.protocol.link import CHUNK_BYTES, LogChunk, MetricBatch, Point

MAX_NAME = 250
MAX_STEP = 2**63 - 1
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Tail:
    """How far a growing file is read. What is below ``acknowledged`` is stored elsewhere.

    All calls come from one thread.
    """

    stream = ""

    def __init__(self, path: Path, workload: UUID, fence: int, *, acknowledged: int) -> None:
        self._path = path
        self._workload = workload
        self._fence = fence
        self.acknowledged = acknowledged
        self._sent = acknowledged
        self._asks = True

    @property
    def in_flight(self) -> int:
        return self._sent - self.acknowledged

    def acknowledge(self, offset: int) -> None:
        """The other side says where it is. To what a link sends first, its answer is the truth."""
        if self._asks:
            self._asks = False
            self.acknowledged = self._sent = offset
        else:
            self.acknowledged = max(self.acknowledged, offset)
            self._sent = max(self._sent, self.acknowledged)

    def rewind(self) -> None:
        """A new link: what was under way may be lost, or stored without our knowing.

        So one piece goes first, and the rest from wherever its acknowledgement says. A batch of
        points that half overlaps what is stored could not be taken.
        """
        self._sent = self.acknowledged
        self._asks = True

    def size(self) -> int:
        """Nothing that is not a plain file is read: the payload owns the folder."""
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            return 0
        return status.st_size if stat.S_ISREG(status.st_mode) else 0

    def _read(self, limit: int) -> bytes:
        """The next bytes, if there are any and it is their turn."""
        if (self._asks and self.in_flight) or self.size() <= self._sent:
            return b""
        file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return os.pread(file, limit, self._sent)
        finally:
            os.close(file)


class LogTail(Tail):
    """The payload's output, as it is."""

    stream = "log"

    def next(self, limit: int = CHUNK_BYTES) -> LogChunk | None:
        data = self._read(min(limit, CHUNK_BYTES))
        if not data:
            return None
        chunk = LogChunk(
            workload=self._workload, fence=self._fence, offset=self._sent, at=time.time(), data=data
        )
        self._sent += len(data)
        return chunk


class MetricsTail(Tail):
    """The payload's metrics file, by whole lines."""

    stream = "metrics"
    complete = False  # the payload is gone: a last line without an end is a line

    def next(self) -> MetricBatch | None:
        data = self._read(CHUNK_BYTES)
        whole = data.rfind(b"\n") + 1
        if not whole:
            if not data or (len(data) < CHUNK_BYTES and not self.complete):
                return None
            whole = len(data)  # the last line, or one beyond any line's length
        points, unreadable = read_points(data[:whole], now=time.time())
        batch = MetricBatch(
            workload=self._workload,
            fence=self._fence,
            offset=self._sent,
            end=self._sent + whole,
            points=points,
            unreadable_lines=unreadable,
        )
        self._sent += whole
        return batch


def read_points(data: bytes, *, now: float) -> tuple[list[Point], int]:
    """The points of some metric lines, and how many lines could not be read."""
    points: list[Point] = []
    unreadable = 0
    for line in data.splitlines():
        if not line.strip():
            continue
        try:
            points.extend(_points_of(json.loads(line), now))
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            unreadable += 1
    return points, unreadable


def _points_of(line: Any, now: float) -> list[Point]:
    if not isinstance(line, dict):
        raise ValueError("no object")
    values = line["metrics"] if "metrics" in line else {line["name"]: line["value"]}
    if not isinstance(values, dict):
        raise ValueError("no metrics")
    step, at = _whole(line.get("step", 0)), float(line.get("at") or now)
    if not math.isfinite(at):
        raise ValueError("at no time")
    return [Point(_name(name), step, _number(value), at) for name, value in values.items()]


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not is_plain(name):
        raise ValueError("no name")
    return name


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value or abs(value) > MAX_STEP:
        raise ValueError("no whole number")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, str):
        return WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return float(value)
