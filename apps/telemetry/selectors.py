"""Reads of logs, metric points and readings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, isfinite
from typing import Any
from uuid import UUID

from django.db import connection

from agents.protocol import blocks as packing
from agents.protocol.link import MAX_FRAME_BYTES
from apps.telemetry import points as rules
from apps.telemetry.models import Block, Gap, LogChunk, Stream
from apps.telemetry.series import Grid, significant, step_for

MAX_BLOCK_SECONDS = 600.0

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


@dataclass(frozen=True)
class NodeSeries:
    """Readings of a host and its devices on one grid; None is a gap."""

    start: datetime
    step: int  # seconds
    series: dict[str, dict[str, list[float | None]]]  # "host" or device UUID -> field -> readings
    gaps: list[Gap]  # what was sent, at whatever time, and could not be kept


def series(node_id: UUID, since: datetime, until: datetime) -> NodeSeries:
    """What a node's sensors read between two times."""
    step = step_for((until - since).total_seconds())
    first = floor(since.timestamp() / step)
    last = max(ceil(until.timestamp() / step), first + 1)
    grid = Grid(start=first * step, step=step, buckets=last - first)
    rows = Block.objects.filter(
        node_id=node_id,
        start_at__gte=since - timedelta(seconds=MAX_BLOCK_SECONDS),
        start_at__lt=until,
        end_at__gt=since,
    ).order_by("start_at", "seq")
    for start_at, data in rows.values_list("start_at", "data").iterator(chunk_size=64):
        header, columns = packing.columns_of(bytes(data))
        grid.add(header, columns, start=start_at.timestamp())
    return NodeSeries(
        start=datetime.fromtimestamp(first * step, UTC),
        step=step,
        series={
            device: {name: significant(values) for name, values in fields.items()}
            for device, fields in grid.result().items()
        },
        gaps=list(Gap.objects.filter(node_id=node_id).order_by("reason")),
    )
