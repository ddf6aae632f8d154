"""Which nodes need somebody, or are called like a text: they are every project's."""

from collections.abc import Iterator
from datetime import datetime

from agents.protocol.base import Reason
from agents.protocol.faults import Action
from apps.common import reasons
from apps.common.answers import MOST_ITEMS, Found, HasId, Item, Subject, attends, called, finds
from apps.fleet import selectors
from apps.fleet.models import Contact, Device, Node
from apps.projects.models import Project


@attends
def absent_nodes(project: HasId, at: datetime) -> Iterator[Item]:
    """Nodes that take no work: cordoned by somebody, or not heard of."""
    nodes = Node.objects.filter(removed_at=None).exclude(contact=Contact.FRESH, cordoned_at=None)
    for node in nodes.order_by("name")[:MOST_ITEMS]:
        reason = selectors.absence(node)
        assert reason is not None
        cordoned = node.cordoned_at is not None
        yield Item(
            kind=reason.code,
            severity="warning" if cordoned else "error",
            since=node.cordoned_at or node.last_contact_at or node.created_at,
            subject=Subject(type="node", id=node.id, name=node.name),
            reason=reason,
            action="uncordon" if cordoned else "open_node",
        )


@attends
def unhealthy_devices(project: HasId, at: datetime) -> Iterator[Item]:
    """Devices that get no work until somebody has seen to them, those that are gone included."""
    devices = Device.objects.filter(node__removed_at=None, healthy=False)
    devices = devices.exclude(unhealthy_at=None).select_related("node")
    for device in devices.order_by("-unhealthy_at", "id")[:MOST_ITEMS]:
        reason = reasons.from_row(device.health_reason)
        assert reason is not None
        yield Item(
            kind="device_unhealthy",
            severity="warning" if device.health_action == Action.DRAIN else "error",
            since=device.unhealthy_at or at,
            subject=Subject(type="node", id=device.node.id, name=device.node.name),
            reason=reason,
            action="open_node",
        )


@attends
def nodes_without_isolation(project: HasId, at: datetime) -> Iterator[Item]:
    """Nodes where a job of one project can read another's, once there is another."""
    second = Project.objects.order_by("created_at", "id").values_list("created_at", flat=True)[1:2]
    since = second.first()
    if since is None:
        return
    nodes = Node.objects.filter(removed_at=None, isolation__profile="none")
    for node in nodes.order_by("name")[:MOST_ITEMS]:
        yield Item(
            kind="node_not_isolated",
            severity="warning",
            since=max(since, node.created_at),
            subject=Subject(type="node", id=node.id, name=node.name),
            reason=Reason(code="node_not_isolated", params={"node": node.name}),
            action="open_node",
        )


@finds
def nodes_called(project: HasId, text: str) -> list[Found]:
    rows = called(Node.objects.filter(removed_at=None), text)
    return [Found(type="node", id=row.id, name=row.name, state=row.contact) for row in rows]
