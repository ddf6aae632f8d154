from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.audit.models import Checkpoint, Entry, Link, Verification
from apps.common.models import installation_id


def filtered(
    entries: QuerySet[Entry],
    *,
    actor: str | None = None,
    actor_id: UUID | None = None,
    action: str | None = None,
    object_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Entry]:
    """Those of the entries that are asked for; an action's first word means all of that noun."""
    if actor is not None:
        entries = entries.filter(actor_name__iexact=actor)
    if actor_id is not None:
        entries = entries.filter(actor_id=actor_id)
    if action is not None:
        entries = entries.filter(Q(action=action) | Q(action__startswith=f"{action}."))
    if object_id is not None:
        entries = entries.filter(object_id=object_id)
    if since is not None:
        entries = entries.filter(created_at__gte=since)
    if until is not None:
        entries = entries.filter(created_at__lt=until)
    return entries


# bytes that come in are many, and say nothing until something is made of them
UNTOLD = ("artifact.add",)


def deeds_in(project_id: UUID) -> QuerySet[Entry]:
    """What everybody in a project may know was done there, to be ordered by the asker."""
    return entries_of(project_id).exclude(action__in=UNTOLD)


def entries_about(*object_ids: UUID) -> QuerySet[Entry]:
    """What was done to these objects, oldest first."""
    return Entry.objects.filter(object_id__in=object_ids).order_by("seq")


def entries_of(project_id: UUID) -> QuerySet[Entry]:
    """What was done in a project, to be ordered by the asker."""
    return Entry.objects.filter(project_id=project_id)


@dataclass(frozen=True)
class ChainState:
    """How the chain stands, as it was last looked at."""

    installation: UUID
    entries: int  # in the chain
    waiting: int  # for their place in it
    head: str
    checkpoint: Checkpoint | None
    verification: Verification | None


def chain_state() -> ChainState:
    newest = Link.objects.order_by("-number").first()
    entries = newest.number if newest else 0
    return ChainState(
        installation=installation_id(),
        entries=entries,
        waiting=max(0, Entry.objects.count() - entries),
        head=newest.hash if newest else "",
        checkpoint=Checkpoint.objects.order_by("-index").first(),
        verification=Verification.objects.first(),
    )
