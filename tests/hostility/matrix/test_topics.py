"""Every topic of the live socket for everybody who may have one."""

from collections import Counter
from uuid import uuid4

import pytest

from apps.accounts.authentication import principal_of_bearer
from apps.live.topics import may_watch
from tests.hostility.matrix.declared import WHO
from tests.hostility.matrix.world import Tenant, World

pytestmark = pytest.mark.django_db

# who may: "project": whoever is in it, its runs too; "person": any person, no run; "nobody"
TOPICS = {
    "project": "project",
    "job": "project",
    "workload": "project",
    "endpoint": "project",
    "node": "person",
    "fleet": "person",
    "fleet.live": "person",
    "link": "nobody",
    "access": "nobody",
    "replica": "nobody",
    "key": "nobody",
    "": "nobody",
}


def topic(kind: str, tenant: Tenant, world: World) -> str:
    if kind in ("fleet", "fleet.live", ""):
        return kind
    things = {
        "project": tenant.project.id,
        "job": tenant.job.id,
        "workload": tenant.workload.id,
        "endpoint": tenant.endpoint.id,
        "node": world.node.id,
        "link": world.node.id,
        "access": tenant.owner.id,
        "replica": tenant.replica.id,
        "key": tenant.key.id,
    }
    return f"{kind}.{things[kind]}"


@pytest.mark.parametrize("kind", TOPICS)
def test_a_topic_is_for_whom_it_is_declared(
    world: World, kind: str, record_cells: Counter[str]
) -> None:
    for name, who in WHO.items():
        bearer = world.headers.get(name, {}).get("Authorization", "").removeprefix("Bearer ")
        principal = world.people.get(name) if who.csrf else None
        if bearer:
            principal = principal_of_bearer(bearer)
        if principal is None:
            assert who.refused or not who.csrf, f"{name} is nobody at the live socket"
            continue
        assert not who.refused, f"{name} is somebody at the live socket"
        for tenant in (world.ours, world.theirs):
            stands = bool(who.rank) if tenant is world.ours else name in THEIRS
            may = {"project": stands, "person": who.kind == "person", "nobody": False}
            said = topic(kind, tenant, world)
            assert may_watch(principal, said) is may[TOPICS[kind]], (name, said)
            record_cells["topics"] += 1
        for missing in (f"{kind}.{uuid4()}", f"{kind}.{world.ours.project.id}!", kind + "."):
            assert not may_watch(principal, missing), (name, missing)
            record_cells["topics"] += 1


THEIRS = {"stranger", "run of another project"}
