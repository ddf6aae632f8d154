"""What nodes send, as the link hands it over."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from agents.protocol import blocks
from agents.protocol.link import Block, LogChunk, MetricBatch, Point
from apps.common.ids import uuid7
from apps.telemetry.services import Sent

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NODE = uuid7()
NAN, INFINITY = math.nan, math.inf


def chunk(workload: UUID, offset: int, data: bytes, *, at: datetime = NOON) -> Sent[LogChunk]:
    item = LogChunk(workload=workload, fence=1, offset=offset, at=at.timestamp(), data=data)
    return Sent(NODE, 0.0, item)


def batch(
    workload: UUID,
    offset: int,
    end: int,
    *values: tuple[str, int, float],
    at: datetime = NOON,
    unreadable: int = 0,
) -> Sent[MetricBatch]:
    item = MetricBatch(
        workload=workload,
        fence=1,
        offset=offset,
        end=end,
        points=[Point(name, step, value, at.timestamp()) for name, step, value in values],
        unreadable_lines=unreadable,
    )
    return Sent(NODE, 0.0, item)


def block(
    seq: int,
    start: datetime,
    series: Mapping[tuple[str, str], Sequence[float | None]],
    *,
    node: UUID = NODE,
    step: float = 1.0,
    skew: float = 0.0,
) -> Sent[Block]:
    data = blocks.pack(start.timestamp(), step, series)
    return Sent(node, skew, Block(seq=seq, start=start.timestamp(), data=data))
