"""What is wrong with devices: told by nodes, kept from work, cleared by people."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agents.protocol.link import DeviceReport
from apps.audit.models import Entry
from apps.common.actors import SYSTEM
from apps.common.errors import NotFound
from apps.fleet import answers, services
from apps.fleet.inventory import InventoryRefused
from apps.fleet.models import Device, Node, NodeEvent
from tests import make
from tests.apps.fleet.hosts import GIB
from tests.make import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def node() -> Node:
    row = make.node(name="alpha")
    for index, uuid in enumerate(["GPU-0", "GPU-1"]):
        Device.objects.create(node=row, uuid=uuid, index=index, name="H100", memory_bytes=80 * GIB)
    Device.objects.create(
        node=row, uuid="SIM-0", index=0, name="Simulated", memory_bytes=1, simulated=True
    )
    return row


def tell(node: Node, kind: str, device: str = "GPU-1", **more: Any) -> None:
    at = more.pop("at", NOON)
    report = DeviceReport(seq=1, at=at.timestamp(), kind=kind, device=device, **more)
    services.apply_device_report(node_id=node.id, report=report, at=at)


def unhealthy() -> list[str]:
    return list(
        Device.objects.filter(healthy=False).order_by("uuid").values_list("uuid", flat=True)
    )


class TestAReport:
    def test_of_a_fatal_xid_marks_the_device_and_no_other(self, node: Node) -> None:
        tell(node, "xid", xid=79)

        device = Device.objects.get(healthy=False)
        assert (device.uuid, device.health_action, device.unhealthy_at) == (
            "GPU-1",
            "replace",
            NOON,
        )
        assert device.health_reason == {
            "code": "device_xid_79",
            "params": {"device": "GPU-1", "index": 1, "xid": 79},
        }
        node.refresh_from_db()
        assert node.cordoned_at is None

    def test_is_remembered_as_an_event_of_the_node(self, node: Node) -> None:
        tell(node, "xid", xid=31)

        (event,) = NodeEvent.objects.filter(kind="device_fault")
        assert event.detail == {
            "fault": "xid",
            "action": "restart",
            "device": "GPU-1",
            "index": 1,
            "xid": 31,
        }
        assert unhealthy() == []  # a program's own fault

    def test_of_a_worse_fault_takes_the_place_of_the_first(self, node: Node) -> None:
        tell(node, "rows_pending")
        tell(node, "lost", at=NOON + timedelta(minutes=5))
        tell(node, "rows_pending", at=NOON + timedelta(minutes=9))

        device = Device.objects.get(healthy=False)
        assert (device.health_action, device.unhealthy_at) == ("replace", NOON)
        assert device.health_reason["code"] == "device_lost"

    def test_that_is_said_again_is_one_event(self, node: Node) -> None:
        for seconds in (0, 10, 50, 70):
            tell(node, "xid", xid=13, at=NOON + timedelta(seconds=seconds))

        assert NodeEvent.objects.filter(kind="device_fault").count() == 2

    def test_of_a_driver_that_hangs_marks_all_real_devices_until_it_answers(
        self, node: Node
    ) -> None:
        tell(node, "xid", xid=79)
        tell(node, "driver_hangs", device="")
        assert unhealthy() == ["GPU-0", "GPU-1"]

        tell(node, "driver_answers", device="")

        assert unhealthy() == ["GPU-1"]

    def test_of_what_nobody_knows_is_an_event_and_no_mark(self, node: Node) -> None:
        tell(node, "invented_later")
        tell(node, "lost", device="GPU-elsewhere")

        assert unhealthy() == []
        assert NodeEvent.objects.filter(kind="device_fault").count() == 2

    def test_that_cannot_be_stored_is_refused(self, node: Node) -> None:
        with pytest.raises(InventoryRefused):
            tell(node, "lost", device="\0")

    def test_marks_no_device_of_another_node(self, node: Node) -> None:
        other = make.node(name="beta")
        Device.objects.create(node=other, uuid="GPU-1", index=0, name="H100", memory_bytes=1)

        tell(other, "lost")

        assert Device.objects.get(healthy=False).node == other


class TestClearing:
    def test_gives_the_device_work_again_and_is_audited(self, node: Node) -> None:
        tell(node, "xid", xid=79)
        device = Device.objects.get(uuid="GPU-1")

        services.clear_device(node_id=node.id, device_id=device.id, actor=SYSTEM, at=NOON)

        device.refresh_from_db()
        assert (device.healthy, device.unhealthy_at, device.health_reason) == (True, None, None)
        assert Entry.objects.get(action="node.clear_device").detail["reason"] == "device_xid_79"
        assert NodeEvent.objects.filter(kind="device_cleared").count() == 1

    def test_of_a_healthy_one_is_nothing(self, node: Node) -> None:
        device = Device.objects.get(uuid="GPU-1")

        services.clear_device(node_id=node.id, device_id=device.id, actor=SYSTEM, at=NOON)

        assert not Entry.objects.filter(action="node.clear_device").exists()

    def test_of_another_nodes_device_is_refused(self, node: Node) -> None:
        other = make.node(name="beta")

        with pytest.raises(NotFound):
            services.clear_device(
                node_id=other.id,
                device_id=Device.objects.get(uuid="GPU-1").id,
                actor=SYSTEM,
                at=NOON,
            )


class TestTheApi:
    @pytest.fixture
    def address(self, node: Node) -> str:
        tell(node, "lost")
        return f"/api/v1/nodes/{node.id}/devices/{Device.objects.get(uuid='GPU-1').id}/clear"

    def client(self, **fields: Any) -> Client:
        client = Client(headers={"Accept": "application/json"})
        client.force_login(make.user(**fields))
        return client

    def test_says_why_in_the_readers_language(self, node: Node, address: str) -> None:
        client = self.client()

        (told,) = [
            device
            for device in client.get(f"/api/v1/nodes/{node.id}").json()["devices"]
            if not device["healthy"]
        ]
        chinese = client.get(
            f"/api/v1/nodes/{node.id}", headers={"Accept-Language": "zh-CN"}
        ).json()

        assert told["health_reason"]["text"].startswith("GPU 1 (GPU-1) no longer answers")
        assert told["health_action"] == "replace"
        assert "掉线" in str(chinese["devices"])

    def test_clears_for_an_operator(self, address: str) -> None:
        answer = self.client(is_operator=True).post(address)

        assert answer.status_code == 200
        assert all(device["healthy"] for device in answer.json()["devices"])

    def test_and_for_nobody_else(self, address: str) -> None:
        assert self.client().post(address).status_code == 403
        assert unhealthy() == ["GPU-1"]


class TestAttention:
    def test_is_asked_for_until_the_device_is_cleared(self, node: Node) -> None:
        project = make.project()
        tell(node, "rows_pending", device="GPU-0")
        tell(node, "lost")

        Device.objects.filter(uuid="GPU-1").update(present=False)  # it fell off: who looks?

        first, second = sorted(
            answers.unhealthy_devices(project, NOON), key=lambda item: item.severity
        )

        assert (first.severity, first.reason.code) == ("error", "device_lost")
        assert (second.severity, second.reason.code) == ("warning", "device_rows_pending")
        assert (first.subject.name, first.action) == ("alpha", "open_node")
