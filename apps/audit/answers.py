"""That somebody has changed the audit is every project's."""

from collections.abc import Iterator
from datetime import datetime

from agents.protocol.base import Reason
from apps.audit.models import Verification
from apps.common.answers import HasId, Item, Subject, attends
from apps.common.models import installation_id


@attends
def broken_chain(project: HasId, at: datetime) -> Iterator[Item]:
    """The chain over all entries does not hold."""
    for found in Verification.objects.exclude(fault=""):
        yield Item(
            kind="audit_broken",
            severity="error",
            since=found.at,
            subject=Subject(type="audit", id=installation_id(), name="audit"),
            reason=Reason(code="audit_broken", params={"number": found.number}),
            action="verify_audit",
        )
