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


# --- rollups -------------------------------------------------------------------------------------

RollupRow = tuple[UUID, datetime, int, datetime, bytes]


def put_rollups(rows: Sequence[RollupRow]) -> None:
    """Store rollups; one that is there is replaced, unless it was made of more."""
    for month in sorted({month_of(start_at.astimezone(UTC).date()) for _, start_at, *_ in rows}):
        ensure_month(month)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO telemetry_rollup AS here (node_id, start_at, blocks, rolled_at, data)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (node_id, start_at) DO UPDATE SET
                blocks = excluded.blocks, rolled_at = excluded.rolled_at, data = excluded.data
            WHERE excluded.blocks >= here.blocks
            """,
            rows,
        )


# --- partitions ----------------------------------------------------------------------------------

BLOCKS, ROLLUPS = "telemetry_block", "telemetry_rollup"


def partition_of(day: date) -> str:
    return f"{BLOCKS}_{day:%Y%m%d}"


def month_of(day: date) -> date:
    return day.replace(day=1)


def ensure_partition(day: date) -> None:
    """Make the day's partition of blocks unless it is there."""
    _ensure(BLOCKS, partition_of(day), day, day + timedelta(days=1))


def ensure_month(month: date) -> None:
    """Make the month's partition of rollups unless it is there."""
    _ensure(ROLLUPS, f"{ROLLUPS}_{month:%Y%m}", month, _next_month(month))


def drop_blocks(*, before: datetime) -> list[str]:
    """Drop the days of blocks that were over by then."""
    return _drop(BLOCKS, "%Y%m%d", lambda day: day + timedelta(days=1), before)


def drop_rollups(*, before: datetime) -> list[str]:
    """Drop the months of rollups that were over by then."""
    return _drop(ROLLUPS, "%Y%m", _next_month, before)


def _ensure(table: str, name: str, first: date, end: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return
        # Whoever comes second waits here and then finds it. The lock stops no reader or writer, and
        # unlike an advisory lock it makes this backend hear of what the first one has made.
        cursor.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return
        # made apart and then attached: CREATE ... PARTITION OF would stop every reader and writer
        cursor.execute(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING STORAGE INCLUDING CONSTRAINTS)"
        )
        cursor.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{_midnight(first)}') TO ('{_midnight(end)}')"
        )


def _drop(table: str, spelling: str, end_of: Callable[[date], date], before: datetime) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
            " ORDER BY 1",
            [table],
        )
        names = [name for (name,) in cursor.fetchall()]
        old = []
        for name in names:
            first = datetime.strptime(name.removeprefix(f"{table}_"), spelling).replace(tzinfo=UTC)
            if datetime.combine(end_of(first.date()), time(), UTC) <= before:
                old.append(name)
        for name in old:
            # to take a partition away stops everybody for a moment; who waits for that moment stops
            # everybody too, so nobody waits for long: there is another time
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            cursor.execute(f"DROP TABLE {name}")
    return old


def _next_month(month: date) -> date:
    return month_of(month + timedelta(days=31))


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


# --- COPY ----------------------------------------------------------------------------------------


def _copy(table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        copy: Callable[..., Any] = cursor.cursor.copy  # psycopg's own
        with copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as stream:
            stream.set_types(list(columns.values()))
            for row in rows:
                stream.write_row(row)
