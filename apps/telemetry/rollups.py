"""Minutes out of seconds: what makes history cheap to keep and to show. Called by a sweep.

A window of ten minutes is rolled up once it is over, and again when more blocks of it arrive: a
node that was away sends them late. What is not rolled up yet is read from its blocks.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.telemetry import selectors, series, services, storage
from apps.telemetry.series import Grid

# Before its blocks are all here there is little use in rolling a window up. From then on the nodes
# take turns, so that they are not all due at the same moment.
GRACE = timedelta(seconds=30)
TURNS = 8  # minutes
# A block may be committed a while after it was received, and was not due while its window was open
LOOK_BACK = timedelta(seconds=series.WINDOW) + timedelta(minutes=TURNS) + timedelta(minutes=7)
AT_ONCE = 50  # windows in one transaction


def roll_up(*, at: datetime) -> int:
    """Roll up every window that is due; says how many there were."""
    mark = selectors.rollup_mark()
    since = services.blocks_kept_since(at=at) if mark is None else mark - LOOK_BACK
    window = timedelta(seconds=series.WINDOW)
    stale = selectors.stale_windows(received_since=since, before=at - window - GRACE)
    due = [
        (node_id, start_at)
        for node_id, start_at in stale
        if start_at + window + GRACE + turn_of(node_id) <= at
    ]
    for first in range(0, len(due), AT_ONCE):
        _roll(due[first : first + AT_ONCE], at=at)
    services.advance_rollup_mark(through=at)
    return len(due)


def turn_of(node_id: UUID) -> timedelta:
    """How long after the others' a node's windows are due."""
    return timedelta(minutes=node_id.int % TURNS)


@transaction.atomic
def _roll(windows: list[tuple[UUID, datetime]], *, at: datetime) -> None:
    storage.put_rollups([_rolled(node_id, start_at, at=at) for node_id, start_at in windows])


def _rolled(node_id: UUID, start_at: datetime, *, at: datetime) -> storage.RollupRow:
    """A window as its blocks make it."""
    grid = Grid(
        start=int(start_at.timestamp()),
        step=series.MINUTE,
        buckets=series.WINDOW // series.MINUTE,
        is_rollup=True,
    )
    end_at = start_at + timedelta(seconds=series.WINDOW)
    rows = selectors.blocks_within(node_id, start_at, end_at).order_by("start_at", "seq")
    count = 0
    for begins_at, data in rows.values_list("start_at", "data"):
        grid.add(bytes(data), start=begins_at)
        count += 1
    return node_id, start_at, count, at, grid.rollup()
