"""Plain builders for gangs and what they need. Rows are as the services would have left them."""

import secrets
from datetime import UTC, datetime
from itertools import count

from agents.protocol.base import Resources
from agents.protocol.specs import RecipeSpec, WorkloadSpec
from apps.common.ids import uuid7
from apps.fleet.models import Contact, Device, Node
from apps.projects.models import Project
from apps.workloads import services
from apps.workloads.models import Gang
from tests.make import project

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
GIB = 1024**3
_numbers = count(1)


def node(
    *,
    name: str = "",
    cpus: int = 8,
    gib: int = 32,
    gpus: int = 0,
    contact: Contact = Contact.FRESH,
    **fields: object,
) -> Node:
    row = Node.objects.create(
        name=name or f"node-{next(_numbers)}",
        public_key=secrets.token_bytes(32),
        contact=contact,
        cpu_millis=cpus * 1000,
        memory_bytes=gib * GIB,
        **fields,
    )
    for index in range(gpus):
        Device.objects.create(
            node=row,
            uuid=f"GPU-{uuid7()}",
            index=index,
            name="NVIDIA H100 80GB HBM3",
            memory_bytes=80 * GIB,
        )
    return row


def resources(*, cpus: int = 1, gib: int = 1, gpus: int = 0, simulated: bool = False) -> Resources:
    return Resources(
        cpu_millis=cpus * 1000,
        memory_bytes=gib * GIB,
        device_count=gpus,
        simulated=simulated,
    )


def spec(wanted: Resources | None = None, **fields: object) -> WorkloadSpec:
    return WorkloadSpec(
        name="test",
        payload=RecipeSpec(recipe="image_classification"),
        resources=wanted or resources(),
        **fields,
    )


def gang(*, size: int = 1, priority: int = 0, owner: Project | None = None, **wanted: int) -> Gang:
    """A gang that waits."""
    return services.request_gang(
        project=owner or project(),
        owner_kind="run",
        owner_id=uuid7(),
        resources=resources(**wanted),
        specs=[spec(resources(**wanted)) for _ in range(size)],
        priority=priority,
        at=NOON,
    )
