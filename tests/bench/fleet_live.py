"""A fleet that is not there, for pages that draw it: `python -m tests.bench.fleet_live`.

Puts 1,250 nodes of 8 simulated devices into a running installation and tells their readings on
`fleet.live` once a second, through the hub that every web process listens to, until it is stopped.
`DATABASE_URL` and `REDIS_URL` say which installation; `--remove` takes all of it out again. The
nodes have no room left, so that no work is ever sent to them. Nothing of them runs, which is what
lets them be so many: nodes that really speak are made by `datahall simulate`.
"""

import os
import time
from collections.abc import Iterator
from uuid import UUID

import click
import django
import msgspec
import numpy as np

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
    os.environ.setdefault("DATAHALL_SECRET_KEY", "not used here")
    django.setup()

from django.db import transaction
from django.utils import timezone

from apps.common import hub
from apps.fleet import services as fleet
from apps.fleet.models import Contact, Device, Node
from apps.ingest import fleet as live

PREFIX = "bench-fleet-"
CONTACT_SECONDS = 10
GIB = 1 << 30


@transaction.atomic
def create(nodes: int, devices: int) -> None:
    """Add what is missing of the fleet, named by number."""
    there = set(Node.objects.filter(name__startswith=PREFIX).values_list("name", flat=True))
    names = [f"{PREFIX}{number:05d}" for number in range(nodes)]
    made = Node.objects.bulk_create(
        Node(
            name=name,
            public_key=bytes(32),
            contact=Contact.FRESH.value,
            last_contact_at=timezone.now(),
            hostname=name,
            simulated=True,
            agent_version="bench",
            cpu_millis=96_000,
            reserved_cpu_millis=96_000,
            memory_bytes=1024 * GIB,
            reserved_memory_bytes=1024 * GIB,
        )
        for name in names
        if name not in there
    )
    Device.objects.bulk_create(
        Device(
            node=node,
            uuid=f"SIM-{node.name}-{index}",
            index=index,
            name="Simulated GPU",
            memory_bytes=80 * GIB,
            simulated=True,
            healthy=(number * devices + index) % 997 != 0,
        )
        for number, node in enumerate(made)
        for index in range(devices)
    )


def remove() -> int:
    """Take the fleet out again; says how many nodes it had."""
    _, by_model = Node.objects.filter(name__startswith=PREFIX).delete()
    return by_model.get("fleet.Node", 0)


def readings(nodes: list[UUID], devices: int) -> Iterator[dict[UUID, list[live.Row]]]:
    """Second by second what the devices might read: waves across the fleet, and some gaps."""
    random = np.random.default_rng(1)
    phase = random.uniform(0, 2 * np.pi, (len(nodes), devices))
    away = random.random((len(nodes), devices)) < 0.002
    second = 0
    while True:
        busy = 0.5 + 0.5 * np.sin(phase + second / 20) + random.normal(0, 0.02, phase.shape)
        busy = np.clip(busy, 0, 1)
        columns = (
            np.rint(100 * busy).astype(int).tolist(),
            np.round(0.05 + 0.9 * busy, 2).tolist(),
            np.rint(32 + 50 * busy).astype(int).tolist(),
            np.rint(75 + 620 * busy).astype(int).tolist(),
        )
        yield {
            node: [
                [None] * 4 if away[number, index] else [c[number][index] for c in columns]
                for index in range(devices)
            ]
            for number, node in enumerate(nodes)
        }
        second += 1


def tell(rows: dict[UUID, list[live.Row]], turn: int) -> int:
    """One second of it, told as the nodes' door tells it; says how many bytes that were."""
    hosts: dict[UUID, live.Row] = {
        node: [round(30 + 40 * (node.int % 7) / 7), 0.42]
        for node in rows
        if (node.int + turn) % live.HOST_TURNS == 0
    }
    size = 0
    for message in live.messages(rows, hosts, at=round(time.time(), 3)):
        hub.tell(live.TOPIC, message)
        size += len(msgspec.json.encode(message))
    return size


@click.command()
@click.option("--nodes", default=1250, show_default=True)
@click.option("--devices", default=8, show_default=True, help="Of each node.")
@click.option("--remove", "removes", is_flag=True, help="Take the fleet out again.")
def main(nodes: int, devices: int, removes: bool) -> None:
    if removes:
        click.echo(f"removed {remove()} nodes")
        return
    create(nodes, devices)
    ids = list(
        Node.objects.filter(name__startswith=PREFIX).order_by("name").values_list("id", flat=True)
    )
    click.echo(f"{len(ids)} nodes of {devices} devices; Ctrl-C ends it, --remove takes them out")
    due = time.monotonic()
    for turn, rows in enumerate(readings(ids, devices)):
        if turn % CONTACT_SECONDS == 0:
            fleet.renew_contact(node_ids=ids, at=timezone.now())
        began = time.process_time()
        size = tell(rows, turn)
        if turn % CONTACT_SECONDS == 0:
            took = time.process_time() - began
            click.echo(f"{size / 1000:.0f} kB a second, told in {took * 1000:.0f} ms of CPU")
        due = max(due + live.PERIOD_SECONDS, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
