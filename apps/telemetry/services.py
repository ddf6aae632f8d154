"""What nodes send in bulk, taken in. Batches come across workloads and nodes, each item in order.

Whether a node may speak of a workload is checked by the caller. A repeat stores nothing twice;
what cannot be kept is counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction

from agents.protocol import blocks as packing
from agents.protocol.link import Block, LogChunk, MetricBatch
from apps.common import hub
from apps.telemetry import points, selectors, storage, timing, traffic
from apps.telemetry.models import Gap, RollupMark, Stream, Traffic

MAX_BATCH_BYTES = 64 * 1024 * 1024  # of a metrics file in one batch
MAX_SERIES = 4096  # in one block
LIVE_POINTS = 500  # in one message to a browser
PARTITIONS_AHEAD = 2  # days
TRAFFIC_KEPT = timedelta(days=30)


T = TypeVar("T", LogChunk, MetricBatch, Block)


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """Something a node sent, and how many seconds its clock is ahead of ours."""

    node_id: UUID
    skew: float
    item: T


@dataclass(frozen=True, slots=True)
class Stored:
    """How far a stream is durable. Out of step: something sent does not begin there."""

    offset: int
    in_step: bool


@transaction.atomic
def append_logs(*, sent: Sequence[Sent[LogChunk]], at: datetime) -> dict[UUID, Stored]:
    """Append to logs what begins where they end; says where each of them ends now."""
    rows: list[storage.LogRow] = []
    ahead: set[UUID] = set()
    with storage.streams(Stream.LOG, {entry.item.workload for entry in sent}) as positions:
        before = {id: position.offset for id, position in positions.items()}
        for entry in sent:
            chunk = entry.item
            position = positions[chunk.workload]
            if chunk.offset > position.offset:
                ahead.add(chunk.workload)
                continue
            data = chunk.data[position.offset - chunk.offset :]
            if not data:
                continue
            said_at = timing.server_time(chunk.at, skew=entry.skew, now=at) or at
            rows.append((chunk.workload, position.offset, len(data), said_at, at, data))
            position.offset += len(data)
        if rows:
            storage.copy_logs(rows)
    stored = {id: Stored(p.offset, in_step=id not in ahead) for id, p in positions.items()}
    for id, now in stored.items():
        if now.offset > before[id]:
            transaction.on_commit(partial(_tell_log, id, now.offset))
    return stored


@transaction.atomic
def append_points(*, sent: Sequence[Sent[MetricBatch]], at: datetime) -> dict[UUID, Stored]:
    """Append metric points whose bytes begin where the stored ones end."""
    rows: list[storage.PointRow] = []
    astray: set[UUID] = set()
    with storage.streams(Stream.METRICS, {entry.item.workload for entry in sent}) as positions:
        for entry in sent:
            batch = entry.item
            position = positions[batch.workload]
            if batch.end <= position.offset:
                continue
            # points have no offsets of their own: half a batch will not do
            if batch.offset != position.offset or batch.end - batch.offset > MAX_BATCH_BYTES:
                astray.add(batch.workload)
                continue
            kept = list(_storable(batch, skew=entry.skew, at=at))
            rows.extend(kept)
            position.offset = batch.end
            position.refused_points += len(batch.points) - len(kept)
            position.unreadable_lines += _count(batch.unreadable_lines)
            transaction.on_commit(partial(_tell_points, batch, kept))
        if rows:
            storage.copy_points(rows)
    return {id: Stored(p.offset, in_step=id not in astray) for id, p in positions.items()}


@transaction.atomic
def skip(*, item: LogChunk | MetricBatch, at: datetime) -> Stored:
    """Give up what cannot be stored: a counted gap, so that what follows it can be."""
    if isinstance(item, LogChunk):
        kind, end = Stream.LOG, item.offset + len(item.data)
    else:
        kind, end = Stream.METRICS, item.end
    with storage.streams(kind, {item.workload}) as positions:
        position = positions[item.workload]
        in_step = item.offset <= position.offset
        if in_step and end > position.offset:
            position.dropped_bytes += end - position.offset
            position.offset = end
    return Stored(position.offset, in_step=in_step)


def record_traffic(
    *, gateway: UUID, windows: Iterable[tuple[UUID, datetime, traffic.Window]]
) -> None:
    """Store what a gateway was asked, by endpoint and start. A repeat does nothing."""
    Traffic.objects.bulk_create(
        (
            Traffic(
                endpoint_id=endpoint_id,
                start_at=start_at,
                gateway=gateway,
                data=traffic.encode_window(window),
            )
            for endpoint_id, start_at, window in windows
        ),
        ignore_conflicts=True,
    )


def forget_traffic(*, at: datetime) -> None:
    """Drop windows that are too old to be asked for."""
    Traffic.objects.filter(start_at__lt=at - TRAFFIC_KEPT).delete()


@transaction.atomic
def record_blocks(*, sent: Sequence[Sent[Block]], at: datetime) -> None:
    """File sample blocks, as they are, by the time in their header; else count a gap."""
    rows: list[storage.BlockRow] = []
    gaps: defaultdict[tuple[UUID, str], int] = defaultdict(int)
    for entry in sent:
        row = _filed(entry.node_id, entry.item, skew=entry.skew, at=at)
        if isinstance(row, str):
            gaps[entry.node_id, row] += 1
        else:
            rows.append(row)
    if rows:
        storage.copy_blocks(rows)
    storage.count_gaps(gaps, at=at)


@transaction.atomic
def lose_block(*, node_id: UUID, at: datetime) -> None:
    """Count a block that could not be stored."""
    storage.count_gaps({(node_id, Gap.UNREADABLE): 1}, at=at)


@transaction.atomic
def advance_rollup_mark(*, through: datetime) -> None:
    """Remember until when received blocks have been looked at."""
    RollupMark.objects.update_or_create(pk=1, defaults={"through": through})


@transaction.atomic
def prepare_partitions(*, at: datetime) -> None:
    """Have the partitions of today and the next days."""
    for days in range(PARTITIONS_AHEAD + 1):
        day = (at + timedelta(days=days)).astimezone(UTC).date()
        storage.ensure_partition(day)
        storage.ensure_month(storage.month_of(day))


def blocks_kept_since(*, at: datetime) -> datetime:
    """From when on every block is kept; some older ones may be there."""
    return at - timedelta(days=settings.TELEMETRY_BLOCK_DAYS)


def rollups_kept_since(*, at: datetime) -> datetime:
    """From when on every rollup is kept; some older ones may be there."""
    return at - timedelta(days=settings.TELEMETRY_ROLLUP_DAYS)


@transaction.atomic
def drop_old_partitions(*, at: datetime) -> list[str]:
    """Drop days of blocks and months of rollups that are over for long; says which."""
    # a block that just arrived may be as old as blocks are kept, and its window has to be whole
    blocks_before = blocks_kept_since(at=at) - timedelta(hours=1)
    return storage.drop_blocks(before=blocks_before) + storage.drop_rollups(
        before=rollups_kept_since(at=at)
    )


def _storable(batch: MetricBatch, *, skew: float, at: datetime) -> Iterable[storage.PointRow]:
    for point in batch.points:
        said_at = timing.server_time(point.at, skew=skew, now=at)
        if said_at is not None and points.is_storable(point):
            yield batch.workload, point.name, point.step, point.value, said_at, at


def _count(lines: int) -> int:
    """A node's own count, within what a batch can hold."""
    return min(max(lines, 0), 1_000_000)


def _filed(node_id: UUID, block: Block, *, skew: float, at: datetime) -> storage.BlockRow | str:
    """The row of a block, or why there is none."""
    try:
        header, _ = packing.columns_of(block.data)
    except packing.Malformed:
        return Gap.UNREADABLE
    seconds = header.step * header.count
    if not 0 < seconds <= selectors.MAX_BLOCK_SECONDS or len(header.series) > MAX_SERIES:
        return Gap.UNREADABLE
    start_at = timing.server_time(header.start, skew=skew, now=at)
    if start_at is None:
        return Gap.OUT_OF_RANGE
    end_at = start_at + timedelta(seconds=seconds)
    return node_id, start_at, block.seq, end_at, at, block.data


def _tell_log(workload_id: UUID, offset: int) -> None:
    """Watchers are told how far a log goes, and fetch as much of it as they show."""
    hub.tell(
        f"workload.{workload_id}",
        {"event": "log.grew", "workload_id": workload_id, "offset": offset},
    )


def _tell_points(batch: MetricBatch, rows: Sequence[storage.PointRow]) -> None:
    """Watchers who are at ``offset`` append the points and are at ``end``."""
    for first in range(0, max(len(rows), 1), LIVE_POINTS):
        some = rows[first : first + LIVE_POINTS]
        last = first + LIVE_POINTS >= len(rows)
        hub.tell(
            f"workload.{batch.workload}",
            {
                "event": "points",
                "workload_id": batch.workload,
                "offset": batch.offset,
                "end": batch.end if last else batch.offset,
                "points": [
                    [name, step, points.in_json(value), said_at.timestamp()]
                    for _, name, step, value, said_at, _ in some
                ],
            },
        )
