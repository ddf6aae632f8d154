"""After a restore: what keeps everything waiting is every project's."""

from collections.abc import Iterator
from datetime import datetime

from agents.protocol.base import Reason
from apps.common.answers import MOST_ITEMS, HasId, Item, Subject, attends
from apps.workloads import selectors


@attends
def held_after_restore(project: HasId, at: datetime) -> Iterator[Item]:
    """Nodes that have not been heard since, and what runs that the backup does not know."""
    for orphan in selectors.living_orphans()[:MOST_ITEMS]:
        node = orphan.node
        yield Item(
            kind="orphan_runs",
            severity="warning",
            since=orphan.created_at,
            subject=Subject(type="node", id=node.id, name=node.name),
            reason=Reason(code="orphan_runs", params={"node": node.name}),
            action="open_node",
        )
    restore = selectors.open_restore()
    if restore is None:
        return
    for node in selectors.unheard_nodes(restore)[:MOST_ITEMS]:
        yield Item(
            kind="restore_waits_for_node",
            severity="error",
            since=restore.created_at,
            subject=Subject(type="node", id=node.id, name=node.name),
            reason=Reason(code="restore_waits_for_node", params={"node": node.name}),
            action="open_node",
        )
