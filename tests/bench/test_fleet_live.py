"""The fleet for trying out pages is complete, is told as a real one, and leaves nothing."""

from typing import Any

import pytest

from apps.common import hub
from apps.fleet.models import Device, Node
from apps.workloads import selectors
from tests import make
from tests.bench import fleet_live

pytestmark = pytest.mark.django_db


def test_is_on_the_map_and_told_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(hub, "tell", lambda topic, message: told.append(message))
    fleet_live.create(3, 2)
    fleet_live.create(3, 2)
    ids = list(Node.objects.order_by("name").values_list("id", flat=True))

    rows = next(fleet_live.readings(ids, 2))
    size = fleet_live.tell(rows, 0)

    shown = {node["id"]: len(node["devices"]) for node in selectors.fleet_map(make.user())}
    assert shown == dict.fromkeys(ids, 2)
    assert told[0]["nodes"] == {str(id): rows[id] for id in ids}
    assert size > 100


def test_is_never_given_work() -> None:
    fleet_live.create(2, 1)

    assert {node.free_cpu_millis for node in selectors.snapshot(simulated=True).nodes} == {0}


def test_leaves_nothing_and_touches_nothing_else() -> None:
    other = make.node()
    fleet_live.create(2, 2)

    assert fleet_live.remove() == 2
    assert list(Node.objects.all()) == [other]
    assert not Device.objects.exists()
