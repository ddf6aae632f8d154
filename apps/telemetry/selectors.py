"""Reads of logs, metric points and readings."""

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil, floor, isfinite
from operator import itemgetter
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from agents.protocol.link import MAX_FRAME_BYTES
from apps.telemetry import points as rules
from apps.telemetry import series as grids
from apps.telemetry.models import (
    Block,
    Gap,
    LogChunk,
    Rollup,
    RollupMark,
    Stream,
    Traffic,
)
from apps.telemetry.series import Grid, Wanted, significant
from apps.telemetry.traffic import WINDOW_SECONDS, TrafficGrid, TrafficSeries, decode_window

MAX_BLOCK_SECONDS = 600.0
MAX_STRETCHES = 8  # between rollups, asked for one by one

# --- logs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogSlice:
    """Bytes [offset, next_offset) of a log of which ``stored`` bytes are here."""

    offset: int
    next_offset: int
    data: bytes
    stored: int
    dropped_bytes: int  # of what is stored, could not be kept: a hole
    times: list[tuple[int, datetime]]  # where each chunk in it begins, and when it was written


def log_slice(workload_id: UUID, offset: int, limit: int) -> LogSlice:
    """At most ``limit`` bytes of a log from an offset on; a hole is stepped over."""
    stream = Stream.objects.filter(workload_id=workload_id, kind=Stream.LOG).first()
    stored = stream.offset if stream else 0
    dropped = stream.dropped_bytes if stream else 0
    start = min(max(offset, 0), stored)
    parts: list[bytes] = []
    times: list[tuple[int, datetime]] = []
    at, left = start, limit
    chunks = LogChunk.objects.filter(
        workload_id=workload_id, offset__gt=start - MAX_FRAME_BYTES, offset__lt=stored
    ).order_by("offset")
    rows = chunks.values_list("offset", "data", "at")
    for chunk_offset, data, written_at in rows.iterator(chunk_size=16):
        if chunk_offset + len(data) <= at:
            continue
        if chunk_offset > at:
            if parts:
                break
            start = at = chunk_offset
        piece = bytes(data)[at - chunk_offset :][:left]
        parts.append(piece)
        times.append((at, written_at))
        at, left = at + len(piece), left - len(piece)
        if left <= 0:
            break
    if not parts and limit > 0:
        start = at = stored  # nothing but a hole up to the end
    return LogSlice(
        offset=start,
        next_offset=at,
        data=b"".join(parts),
        stored=stored,
        dropped_bytes=dropped,
        times=times,
    )


def log_offset_at(workload_id: UUID, at: datetime) -> int:
    """Where in a log begins what was written at a time or after; its end if nothing was."""
    later = LogChunk.objects.filter(workload_id=workload_id, at__gte=at).order_by("offset")
    found = later.values_list("offset", flat=True).first()
    if found is not None:
        return found
    stream = Stream.objects.filter(workload_id=workload_id, kind=Stream.LOG).first()
    return stream.offset if stream else 0


# --- metric points -------------------------------------------------------------------------------

PointInJson = tuple[int, float | str, float]  # step, value, Unix seconds

# In one statement, so that the points and how far they go are of one moment.
_POINTS = """
WITH numbered AS (
    SELECT name, step, value, at, id,
        row_number() OVER (PARTITION BY name ORDER BY step, id) - 1 AS number,
        count(*) OVER (PARTITION BY name) AS total
    FROM telemetry_metricpoint
    WHERE workload_id = %(workload)s AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
), bucketed AS (
    SELECT *, NULLIF(value, 'NaN') AS height,
        CASE WHEN total <= %(most)s THEN number ELSE number * %(buckets)s / total END AS bucket
    FROM numbered
), ranked AS (
    SELECT *,
        row_number() OVER (PARTITION BY name, bucket ORDER BY number) AS first,
        row_number() OVER (PARTITION BY name, bucket ORDER BY number DESC) AS last,
        row_number() OVER (PARTITION BY name, bucket ORDER BY height NULLS LAST) AS lowest,
        row_number() OVER (PARTITION BY name, bucket ORDER BY height DESC NULLS LAST) AS highest
    FROM bucketed
)
SELECT name, step, value, extract(epoch FROM at)::float8, number FROM ranked
WHERE 1 IN (first, last, lowest, highest)
UNION ALL
SELECT NULL, "offset", NULL, NULL, NULL FROM telemetry_stream
WHERE workload_id = %(workload)s AND kind = 'metrics'
ORDER BY 1, 5
"""


def points(
    workload_id: UUID, names: Collection[str] | None = None, max_points: int = 2000
) -> tuple[int, dict[str, list[PointInJson]]]:
    """How far the metrics file is stored, and its series by name, in order of steps.

    A series that is longer is thinned: of each stretch the first, last, lowest and highest stay.
    """
    arguments = {
        "workload": workload_id,
        "names": None if names is None else list(names),
        "most": max_points,
        "buckets": max(max_points // 4, 1),
    }
    through = 0
    series: dict[str, list[PointInJson]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_POINTS, arguments)
        for name, step, value, at, _ in cursor.fetchall():
            if name is None:
                through = step
            else:
                series.setdefault(name, []).append((step, rules.in_json(value), at))
    return through, series


@dataclass(frozen=True)
class Glance:
    """What a row of a list shows of a workload's metrics."""

    progress: float | None  # 0 to 1, the newest of the metric of this name
    progress_at: datetime | None
    name: str | None  # of the main metric
    value: float | None  # its newest; None if it is not a number
    spark: list[float | None]  # about as many as asked for, evenly over its steps


SPARK_POINTS = 30
MOST_NAMES = 64  # looked through for a main metric

# Only the ends of index ranges are read, however long the series are: the names by skipping from
# one to the next, and of the main series the newest point and the first at or after each of some
# evenly spaced steps.
_GLANCES = """
WITH asked AS (
    SELECT * FROM unnest(%(workloads)s::uuid[], %(wanted)s::text[]) AS asked (workload, wanted)
), names AS (
    SELECT asked.workload, found.name,
        CASE WHEN found.name = asked.wanted THEN 0 WHEN found.name = 'train/loss' THEN 1
            WHEN found.name = 'loss' THEN 2 WHEN found.name LIKE '%%loss%%' THEN 3 ELSE 4
        END AS rank
    FROM asked CROSS JOIN LATERAL (
        WITH RECURSIVE each (name, number) AS (
            (SELECT name, 1 FROM telemetry_metricpoint
            WHERE workload_id = asked.workload ORDER BY name LIMIT 1)
            UNION ALL
            SELECT (
                SELECT point.name FROM telemetry_metricpoint AS point
                WHERE point.workload_id = asked.workload AND point.name > each.name
                ORDER BY point.name LIMIT 1
            ), each.number + 1
            FROM each WHERE each.name IS NOT NULL AND each.number < %(most_names)s
        )
        SELECT name FROM each WHERE name IS NOT NULL
    ) AS found
), main AS (
    SELECT DISTINCT ON (workload) workload, name FROM names
    WHERE name <> 'progress' ORDER BY workload, rank, name
)
SELECT asked.workload, progress.value, progress.at, main.name, newest.value, spark.points
FROM asked
LEFT JOIN main ON main.workload = asked.workload
LEFT JOIN LATERAL (
    SELECT value, at FROM telemetry_metricpoint
    WHERE workload_id = asked.workload AND name = 'progress'
    ORDER BY step DESC, id DESC LIMIT 1
) AS progress ON true
LEFT JOIN LATERAL (
    SELECT step, value FROM telemetry_metricpoint
    WHERE workload_id = asked.workload AND name = main.name
    ORDER BY step DESC, id DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT step FROM telemetry_metricpoint
    WHERE workload_id = asked.workload AND name = main.name
    ORDER BY step, id LIMIT 1
) AS oldest ON true
LEFT JOIN LATERAL (
    SELECT array_agg(value ORDER BY step, id) AS points FROM (
        SELECT DISTINCT ON (point.step, point.id) point.step, point.id, point.value
        FROM generate_series(0, %(most)s - 1) AS number
        CROSS JOIN LATERAL (
            SELECT step, id, value FROM telemetry_metricpoint
            WHERE workload_id = asked.workload AND name = main.name AND step >= floor(
                oldest.step + (newest.step::numeric - oldest.step) * number / (%(most)s - 1)
            )::int8
            ORDER BY step, id LIMIT 1
        ) AS point
    ) AS points
) AS spark ON true
"""


def glances(wanted: Mapping[UUID, str]) -> dict[UUID, Glance]:
    """Progress and main metric of workloads, each with the metric that is its main one if it is
    there ("" for whichever looks like a loss, else the first by name)."""
    if not wanted:
        return {}
    arguments: dict[str, Any] = {
        "workloads": list(wanted),
        "wanted": list(wanted.values()),
        "most": SPARK_POINTS,
        "most_names": MOST_NAMES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_GLANCES, arguments)
        return {row[0]: _glance(*row[1:]) for row in cursor.fetchall()}


def _glance(
    progress: float | None,
    progress_at: datetime | None,
    name: str | None,
    value: float | None,
    spark: list[float] | None,
) -> Glance:
    known = progress is not None and isfinite(progress)
    return Glance(
        progress=min(max(progress, 0.0), 1.0) if progress is not None and known else None,
        progress_at=progress_at if known else None,
        name=name,
        value=_finite(value),
        spark=[_finite(point) for point in spark or []],
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


# --- readings ------------------------------------------------------------------------------------


class Source(StrEnum):
    """What a history was read from."""

    RAW = "raw"  # blocks, as the node sent them
    ROLLUP = "rollup"  # one-minute rollups
    MIXED = "mixed"  # rollups, and blocks where there is none yet


@dataclass(frozen=True)
class NodeSeries:
    """Readings of a host and its devices on one grid; None is a gap."""

    start: datetime
    step: int  # seconds
    source: Source
    series: dict[str, dict[str, list[float | None]]]  # "host" or device UUID -> field -> readings
    gaps: list[Gap]  # what was sent, at whatever time, and could not be kept


def series(
    node_id: UUID,
    since: datetime,
    until: datetime,
    *,
    raw_since: datetime | None = None,
    wanted: Wanted | None = None,
) -> NodeSeries:
    """What a node's sensors read between two times.

    Steps of a minute and more come from the rollups, and from blocks where there is none; finer
    ones from blocks, unless it begins before ``raw_since``, from when on blocks are kept.
    """
    step = grids.step_for((until - since).total_seconds())
    if raw_since is not None and since < raw_since:
        step = max(step, grids.MINUTE)
    first = floor(since.timestamp() / step)
    last = max(ceil(until.timestamp() / step), first + 1)
    grid = Grid(start=first * step, step=step, buckets=last - first, wanted=wanted)
    begin = datetime.fromtimestamp(first * step, UTC)
    end = datetime.fromtimestamp(last * step, UTC)
    used = set()
    rolled: set[datetime] = set()
    if step >= grids.MINUTE:
        rolled = set(_rollups(node_id, begin, end).values_list("start_at", flat=True))
    without = np.array(sorted(map(grids.window_number, rolled)), np.int64)
    pieces = heapq.merge(
        ((start_at, 0, data) for start_at, data in _rollup_rows(node_id, begin, end, rolled)),
        ((start_at, 1, data) for start_at, data in _block_rows(node_id, begin, end, rolled)),
        key=itemgetter(0, 1),
    )
    for start_at, is_block, data in pieces:
        if not is_block:
            grid.add_rollup(data, start=start_at)
            used.add(Source.ROLLUP)
        elif grid.add(data, start=start_at, without=without):
            used.add(Source.RAW)
    return NodeSeries(
        start=begin,
        step=step,
        source=Source.MIXED if len(used) > 1 else next(iter(used), Source.RAW),
        series={
            device: {name: significant(values) for name, values in fields.items()}
            for device, fields in grid.result().items()
        },
        gaps=list(Gap.objects.filter(node_id=node_id).order_by("reason")),
    )


# --- traffic -------------------------------------------------------------------------------------


def traffic(endpoint_id: UUID, since: datetime, until: datetime) -> TrafficSeries:
    """What gateways were asked of an endpoint between two times, all gateways together.

    The last ten to twenty seconds are still with the gateways.
    """
    step = grids.step_for((until - since).total_seconds())
    first = floor(since.timestamp() / step)
    last = max(ceil(until.timestamp() / step), first + 1)
    grid = TrafficGrid(start=first * step, step=step, buckets=last - first)
    rows = Traffic.objects.filter(
        endpoint_id=endpoint_id,
        start_at__gt=since - timedelta(seconds=max(step, WINDOW_SECONDS)),
        start_at__lt=until,
    )
    for start_at, data in rows.values_list("start_at", "data").iterator(chunk_size=500):
        grid.add(decode_window(bytes(data)), start=int(start_at.timestamp()))
    return grid.series(datetime.fromtimestamp(first * step, UTC))


def _rollups(node_id: UUID, begin: datetime, end: datetime) -> QuerySet[Rollup]:
    window = timedelta(seconds=grids.WINDOW)
    return Rollup.objects.filter(
        node_id=node_id, start_at__gt=begin - window, start_at__lt=end
    ).order_by("start_at")


def _rollup_rows(
    node_id: UUID, begin: datetime, end: datetime, rolled: set[datetime]
) -> Iterator[tuple[datetime, bytes]]:
    """The rollups of a time; those that came since it was asked which there are do not count."""
    if rolled:
        rows = _rollups(node_id, begin, end).values_list("start_at", "data")
        for start_at, data in rows.iterator(chunk_size=64):
            if start_at in rolled:
                yield start_at, bytes(data)


def _block_rows(
    node_id: UUID, begin: datetime, end: datetime, rolled: set[datetime]
) -> Iterator[tuple[datetime, bytes]]:
    """The blocks of a time, without the stretches that are rolled up altogether."""
    for first, last in _unrolled(begin, end, rolled):
        rows = blocks_within(node_id, first, last).order_by("start_at", "seq")
        for start_at, data in rows.values_list("start_at", "data").iterator(chunk_size=64):
            yield start_at, bytes(data)


def _unrolled(
    begin: datetime, end: datetime, rolled: set[datetime]
) -> Iterator[tuple[datetime, datetime]]:
    """Stretches between rollups; of those that are many and short only the whole, to ask once."""
    window = timedelta(seconds=grids.WINDOW)
    stretches = []
    at = begin
    for start in sorted(rolled):
        if start > at:
            stretches.append((at, start))
        at = max(at, start + window)
    if at < end:
        stretches.append((at, end))
    # no block reaches across a window, from one stretch into the next: none is read twice
    yield from stretches[: MAX_STRETCHES - 1]
    if others := stretches[MAX_STRETCHES - 1 :]:
        yield others[0][0], others[-1][1]


def blocks_within(node_id: UUID, begin: datetime, end: datetime) -> QuerySet[Block]:
    """The blocks with a reading between two times."""
    return Block.objects.filter(
        node_id=node_id,
        start_at__gt=begin - timedelta(seconds=MAX_BLOCK_SECONDS),
        start_at__lt=end,
        end_at__gt=begin,
    )


# --- for the rollups -----------------------------------------------------------------------------

_STALE = """
WITH touched AS (
    SELECT DISTINCT node_id, generate_series(
        date_bin(make_interval(secs => %(window)s), start_at, 'epoch'::timestamptz),
        end_at - interval '1 microsecond',
        make_interval(secs => %(window)s)
    ) AS start_at
    FROM telemetry_block WHERE received_at >= %(since)s
), counted AS (
    SELECT touched.node_id, touched.start_at, coalesce(here.blocks, 0) AS rolled, (
        SELECT count(*) FROM telemetry_block AS block
        WHERE block.node_id = touched.node_id
            AND block.start_at > touched.start_at - make_interval(secs => %(reach)s)
            AND block.start_at < touched.start_at + make_interval(secs => %(window)s)
            AND block.end_at > touched.start_at
    ) AS blocks
    FROM touched LEFT JOIN telemetry_rollup AS here USING (node_id, start_at)
    WHERE touched.start_at <= %(before)s
)
SELECT node_id, start_at FROM counted WHERE blocks > rolled ORDER BY start_at DESC, node_id
"""


def rollup_mark() -> datetime | None:
    """Until when received blocks have been looked at; None if none ever were."""
    return RollupMark.objects.values_list("through", flat=True).first()


def stale_windows(*, received_since: datetime, before: datetime) -> list[tuple[UUID, datetime]]:
    """Windows that began by then and of which there are more blocks than they are rolled up from.

    Only those are found of which a block was received since a given time.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _STALE,
            {
                "window": grids.WINDOW,
                "reach": MAX_BLOCK_SECONDS,
                "since": received_since,
                "before": before,
            },
        )
        return list(cursor.fetchall())
