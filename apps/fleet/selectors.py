"""Questions about nodes and their orders."""

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from django.utils import timezone

from agents.protocol.base import Reason
from apps.common.errors import NotFound
from apps.fleet.models import (
    Contact,
    Device,
    JoinToken,
    Node,
    NodeEvent,
    Outbox,
    SigningKey,
)

MOST_ENVELOPES = 1000


def nodes() -> QuerySet[Node]:
    """Every node that was not removed, with its devices."""
    devices = Prefetch("devices", Device.objects.order_by("index", "uuid"))
    used = JoinToken.objects.filter(node=OuterRef("pk")).values("id")[:1]
    return (
        Node.objects.filter(removed_at=None)
        .annotate(join_token=Subquery(used))
        .prefetch_related(devices)
    )


def absence(node: Node) -> Reason | None:
    """Why a node takes no work now; None if it does."""
    if node.cordoned_at is not None:
        return Reason(code="node_cordoned", params={"node": node.name})
    if node.contact != Contact.FRESH:
        return Reason(code="node_unreachable", params={"node": node.name})
    return None


def profile_of(isolation: dict[str, Any] | None) -> str:
    """What a node's jobs are isolated by; "" if its agent has not said."""
    return str((isolation or {}).get("profile", ""))


def isolates_anywhere() -> bool:
    """Whether some node isolates its jobs, or there is none yet that could say so."""
    nodes = Node.objects.filter(removed_at=None)
    return not nodes.exists() or nodes.filter(isolation__profile="bwrap").exists()


def join_tokens() -> QuerySet[JoinToken]:
    return JoinToken.objects.select_related("created_by", "node")


def events_of(node_id: UUID) -> QuerySet[NodeEvent]:
    """What happened to a node, also to one that was removed; raises ``NotFound``."""
    if not Node.objects.filter(pk=node_id).exists():
        raise NotFound
    return NodeEvent.objects.filter(node_id=node_id)


def signing_keys() -> dict[str, str]:
    """Key id -> public key of every key whose orders nodes are to obey; raw, base64."""
    rows = SigningKey.objects.filter(retired_at=None).values_list("kid", "public_key")
    return {kid: base64.b64encode(bytes(key)).decode() for kid, key in rows}


def envelopes_for(node_id: UUID, *, at: datetime | None = None) -> list[str]:
    """Every envelope that holds and that the node has not settled, oldest order first."""
    rows = Outbox.objects.filter(
        node_id=node_id, settled_at=None, expires_at__gt=at or timezone.now()
    )
    return list(rows.order_by("id").values_list("envelope", flat=True)[:MOST_ENVELOPES])


def broker_secrets() -> dict[UUID, str]:
    """The hash of the broker secret of every node that has one and was not removed."""
    rows = Node.objects.filter(removed_at=None).exclude(broker_secret_sha256="")
    return dict(rows.values_list("id", "broker_secret_sha256"))


def has_broker() -> bool:
    """Whether nodes are given a way to the broker. The users they need exist only on Redis."""
    return settings.NODE_BROKER_URL.startswith(("redis://", "rediss://"))
