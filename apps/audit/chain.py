"""The entries as the chain has them. What is hashed is what the row says when it is read."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from apps.audit.models import Checkpoint, Entry, Link


def told(entry: Entry) -> dict[str, Any]:
    """Everything of an entry that must not change."""
    return {
        "id": str(entry.id),
        "seq": entry.seq,
        "at": moment(entry.created_at),
        "actor_kind": entry.actor_kind,
        "actor_id": _text(entry.actor_id),
        "actor_name": entry.actor_name,
        "action": entry.action,
        "object_type": entry.object_type,
        "object_id": _text(entry.object_id),
        "project_id": _text(entry.project_id),
        "detail": entry.detail,
    }


def link_record(link: Link) -> dict[str, Any]:
    """A line of an export."""
    return {
        "kind": "entry",
        "number": link.number,
        "previous": link.previous,
        "hash": link.hash,
        "entry": told(link.entry),
    }


def signed_part(checkpoint: Checkpoint, installation: UUID) -> dict[str, Any]:
    """What the signature of a checkpoint is under."""
    return {
        "installation": str(installation),
        "index": checkpoint.index,
        "number": checkpoint.number,
        "hash": checkpoint.hash,
        "signed_at": moment(checkpoint.signed_at),
    }


def checkpoint_record(checkpoint: Checkpoint, installation: UUID) -> dict[str, Any]:
    """A line of an export, and of the file of checkpoints."""
    return {
        "kind": "checkpoint",
        "checkpoint": signed_part(checkpoint, installation),
        "signature": checkpoint.signature,
        "key": checkpoint.public_key,
    }


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _text(id: UUID | None) -> str | None:
    return str(id) if id else None
