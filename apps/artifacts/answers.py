"""Which of a project's bytes need somebody."""

from collections.abc import Iterator
from datetime import datetime

from agents.protocol.base import Reason
from apps.artifacts import selectors
from apps.common.answers import MOST_ITEMS, HasId, Item, Subject, attends


@attends
def damaged_bytes(project: HasId, at: datetime) -> Iterator[Item]:
    """What rotted on the disk: it has to be sent again, or fetched from a backup."""
    for artifact, found_at in selectors.damaged_in(project.id)[:MOST_ITEMS]:
        yield Item(
            kind="bytes_damaged",
            severity="error",
            since=found_at,
            subject=Subject(type="artifact", id=artifact.id, name=artifact.digest[:12]),
            reason=Reason(code="bytes_damaged", params={"digest": artifact.digest}),
            action="restore_bytes",
        )
