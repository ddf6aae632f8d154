"""Who did what: written by whoever does it, in the same transaction."""

from typing import Any, Protocol
from uuid import UUID

from django.db import models, transaction
from django.db.models import Func, Value

from apps.audit.models import Entry
from apps.common.actors import Actor


class HasId(Protocol):
    id: UUID


def record(
    actor: Actor, action: str, obj: models.Model, *, project: HasId | None = None, **detail: Any
) -> None:
    """Note that the actor did this to the object; it holds if and only if the deed does.

    The project is the object's own unless named. Never put a secret into the detail.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError(f"{action} must be recorded where it is done")
    Entry.objects.create(
        seq=Func(Value("audit_seq"), function="nextval"),
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        object_type=obj._meta.model_name or "",
        object_id=obj.pk,
        project_id=project.id if project else getattr(obj, "project_id", None),
        detail=detail,
    )
