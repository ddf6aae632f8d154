"""The keys that let an application ask an endpoint."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.accounts import credentials
from apps.accounts.models import User
from apps.audit import services as audit
from apps.common.actors import Actor
from apps.common.errors import DomainError, NotFound
from apps.serving.models import Key
from apps.serving.services import locks

LONGEST_KEY = timedelta(days=365)


class KeyLifetimeRefused(DomainError):
    """A key must end in the future, and within the longest lifetime."""

    status = 422


@transaction.atomic
def create_key(
    *,
    endpoint_id: UUID,
    name: str,
    expires_at: datetime,
    requests_per_minute: int | None,
    user: User,
    actor: Actor,
    at: datetime,
) -> tuple[Key, str]:
    """A credential that may call one endpoint; its text is returned once and never again."""
    endpoint = locks.lock(endpoint_id)
    latest = at + LONGEST_KEY
    if not at < expires_at <= latest:
        raise KeyLifetimeRefused(latest=latest.isoformat())
    secret = credentials.new_secret()
    key = Key.objects.create(
        endpoint=endpoint,
        name=name,
        secret_sha256=credentials.sha256(secret),
        created_by=user,
        requests_per_minute=requests_per_minute,
        expires_at=expires_at,
    )
    audit.record(
        actor, "key.create", key, project=endpoint.project, name=name, endpoint=endpoint.name
    )
    locks.say_moved(endpoint)
    return key, credentials.text_of(credentials.KEY_PREFIX, key.id, secret)


def note_key_uses(*, used_at: Mapping[UUID, datetime]) -> None:
    """Keep when keys were last used; a gateway that is behind another takes nothing back."""
    for key_id, at in used_at.items():
        earlier = Q(last_used_at=None) | Q(last_used_at__lt=at)
        Key.objects.filter(earlier, pk=key_id).update(last_used_at=at)


@transaction.atomic
def revoke_key(*, endpoint_id: UUID, key_id: UUID, actor: Actor, at: datetime) -> None:
    """End a key at once; one that is revoked already stays as it is."""
    endpoint = locks.lock(endpoint_id)
    key = Key.objects.filter(pk=key_id, endpoint=endpoint).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        audit.record(
            actor,
            "key.revoke",
            key,
            project=endpoint.project,
            name=key.name,
            endpoint=endpoint.name,
        )
        locks.say_moved(endpoint)


def forget_spent_keys(*, before: datetime) -> int:
    """Drop keys that have been over for long; how many."""
    over = Key.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))
    return over.delete()[0]
