"""What the rollups of a fleet cost: `pytest -n0 -s tests/bench/rollups.py`.

Plays 200 nodes of 8 devices for forty minutes, and prints what each minute's pass takes of this
process, and what long histories take.
"""

import random
import time
from datetime import datetime, timedelta

import pytest
from click import echo
from django.db import connection

from agents.protocol import blocks
from apps.common.ids import uuid7
from apps.telemetry import rollups, selectors, storage
from tests.apps.telemetry.make import NOON

NODES, DEVICES, MINUTES = 200, 8, 40
FIELDS = 26  # of an NVML device
HOST_FIELDS = 10


@pytest.mark.django_db
def test_cost_of_a_pass() -> None:
    nodes = [uuid7() for _ in range(NODES)]
    packed = [_block() for _ in range(12)]
    spent = []
    for minute in range(MINUTES):
        now = NOON + timedelta(minutes=minute + 1)
        storage.copy_blocks(
            [
                (node, start, minute * 6 + n + 1, start + _TEN, now, packed[(minute + n) % 12])
                for node in nodes
                for n in range(6)
                for start in [NOON + timedelta(minutes=minute, seconds=10 * n)]
            ]
        )
        began, at = time.process_time(), time.perf_counter()
        rolled = rollups.roll_up(at=now)
        spent.append((time.process_time() - began, time.perf_counter() - at, rolled))
    for minute, (cpu, wall, rolled) in enumerate(spent):
        echo(f"minute {minute + 1}: {rolled} windows, {cpu:.3f} s of CPU, {wall:.3f} s in all")
    tail = spent[20:]
    echo(f"per minute: mean {sum(c for c, *_ in tail) / len(tail):.3f} s of CPU, ", nl=False)
    echo(f"most {max(c for c, *_ in tail):.3f} s; a block is {len(packed[0])} bytes")
    _history(nodes[0], NOON)


def _history(node: object, start: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT avg(length(data))::int, count(*) FROM telemetry_rollup")
        size, count = cursor.fetchone()
        echo(f"a rollup is {size} bytes; there are {count}")
        storage.ensure_month(storage.month_of(start.date().replace(month=start.month + 1)))
        cursor.execute(
            "INSERT INTO telemetry_rollup SELECT node_id, %s + n * interval '10 minutes', blocks,"
            " rolled_at, data FROM telemetry_rollup, generate_series(0, 31 * 144) AS n"
            " WHERE node_id = %s AND start_at = %s ON CONFLICT DO NOTHING",
            [start, node, start],
        )
    for days in (1, 7, 31):
        began = time.process_time()
        found = selectors.series(node, start, start + timedelta(days=days))  # type: ignore[arg-type]
        took = time.process_time() - began
        echo(f"history of {days} days: {took:.3f} s of CPU, step {found.step}, {found.source}")


_TEN = timedelta(seconds=10)


def _block() -> bytes:
    series = {("", f"host_{n}"): _readings() for n in range(HOST_FIELDS)}
    for device in range(DEVICES):
        uuid = f"GPU-{device:08x}-0000-0000-0000-000000000000"
        series |= {(uuid, f"field_{n}"): _readings() for n in range(FIELDS)}
    return blocks.pack(NOON.timestamp(), 1.0, series)


def _readings() -> list[float]:
    return [round(random.uniform(0, 100)) for _ in range(10)]
