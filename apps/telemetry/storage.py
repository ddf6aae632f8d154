"""Bulk in and out of Postgres: COPY, partitions, and the rows that say how far a stream is stored.

Everything here is part of the caller's transaction.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from apps.telemetry.models import Stream

LOG_COLUMNS = {
    "workload_id": "uuid",
    "offset": "int8",
    "size": "int4",
    "at": "timestamptz",
    "received_at": "timestamptz",
    "data": "bytea",
}
POINT_COLUMNS = {
    "workload_id": "uuid",
    "name": "text",
    "step": "int8",
    "value": "float8",
    "at": "timestamptz",
    "received_at": "timestamptz",
}
BLOCK_COLUMNS = {
    "node_id": "uuid",
    "start_at": "timestamptz",
    "seq": "int8",
    "end_at": "timestamptz",
    "received_at": "timestamptz",
    "data": "bytea",
}

LogRow = tuple[UUID, int, int, datetime, datetime, bytes]
PointRow = tuple[UUID, str, int, float, datetime, datetime]
BlockRow = tuple[UUID, datetime, int, datetime, datetime, bytes]


def copy_logs(rows: Sequence[LogRow]) -> None:
    _copy("telemetry_logchunk", LOG_COLUMNS, rows)


def copy_points(rows: Sequence[PointRow]) -> None:
    _copy("telemetry_metricpoint", POINT_COLUMNS, rows)


def copy_blocks(rows: Sequence[BlockRow]) -> None:
    """Store blocks; a day that has no partition yet gets one."""
    for day in sorted({start_at.astimezone(UTC).date() for _, start_at, *_ in rows}):
        ensure_partition(day)
    _copy("telemetry_block", BLOCK_COLUMNS, rows)


# --- streams -------------------------------------------------------------------------------------


@dataclass
class Position:
    """A stream's row while it is held: where the next byte belongs, and what was left out."""

    offset: int
    dropped_bytes: int = 0
    unreadable_lines: int = 0
    refused_points: int = 0


@contextmanager
def streams(kind: str, workload_ids: Collection[UUID]) -> Iterator[dict[UUID, Position]]:
    """Hold the streams of some workloads; what has changed of them is written at the end."""
    ids = sorted(set(workload_ids))  # one order for every writer: no deadlock
    Stream.objects.bulk_create(
        (Stream(workload_id=id, kind=kind) for id in ids), ignore_conflicts=True
    )
    rows = (
        Stream.objects.select_for_update()
        .filter(kind=kind, workload_id__in=ids)
        .order_by("workload_id")
        .values_list("workload_id", "offset", "dropped_bytes", "unreadable_lines", "refused_points")
    )
    before = {id: values for id, *values in rows}
    positions = {id: Position(*values) for id, values in before.items()}
    yield positions
    changed = [
        (id, now.offset, now.dropped_bytes, now.unreadable_lines, now.refused_points)
        for id, now in positions.items()
        if before[id] != [now.offset, now.dropped_bytes, now.unreadable_lines, now.refused_points]
    ]
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE telemetry_stream AS stream SET
                    "offset" = new."offset",
                    dropped_bytes = new.dropped_bytes,
                    unreadable_lines = new.unreadable_lines,
                    refused_points = new.refused_points
                FROM unnest(%s::uuid[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])
                    AS new (id, "offset", dropped_bytes, unreadable_lines, refused_points)
                WHERE stream.workload_id = new.id AND stream.kind = %s
                """,
                [*(list(column) for column in zip(*changed, strict=True)), kind],
            )


# --- gaps ----------------------------------------------------------------------------------------


def count_gaps(counts: Mapping[tuple[UUID, str], int], *, at: datetime) -> None:
    """Add to the blocks of nodes that could not be kept."""
    rows = [(node, reason, blocks) for (node, reason), blocks in sorted(counts.items())]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO telemetry_gap (node_id, reason, blocks, last_at)
            SELECT node_id, reason, blocks, %s
            FROM unnest(%s::uuid[], %s::text[], %s::int8[]) AS new (node_id, reason, blocks)
            ON CONFLICT (node_id, reason) DO UPDATE SET
                blocks = telemetry_gap.blocks + excluded.blocks, last_at = excluded.last_at
            """,
            [at, *(list(column) for column in zip(*rows, strict=True))],
        )


# --- partitions ----------------------------------------------------------------------------------


def partition_of(day: date) -> str:
    return f"telemetry_block_{day:%Y%m%d}"


def ensure_partition(day: date) -> None:
    """Make the day's partition unless it is there."""
    name = partition_of(day)
    start = datetime.combine(day, time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return
        # Whoever comes second waits here and then finds it. The lock stops no reader or writer, and
        # unlike an advisory lock it makes this backend hear of what the first one has made.
        cursor.execute("LOCK TABLE telemetry_block IN SHARE UPDATE EXCLUSIVE MODE")
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return
        # made apart and then attached: CREATE ... PARTITION OF would stop every reader and writer
        cursor.execute(f"CREATE TABLE {name} (LIKE telemetry_block INCLUDING STORAGE)")
        cursor.execute(
            f"ALTER TABLE telemetry_block ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{start.isoformat()}')"
            f" TO ('{(start + timedelta(days=1)).isoformat()}')"
        )


# --- COPY ----------------------------------------------------------------------------------------


def _copy(table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        copy: Callable[..., Any] = cursor.cursor.copy  # psycopg's own
        with copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as stream:
            stream.set_types(list(columns.values()))
            for row in rows:
                stream.write_row(row)
