"""Permission to move certain bytes, carried in the address itself.

A ticket names one verb, one thing, one holder and an end. It is checked without a database, so
the transfer door stays fast and outlives Postgres. It cannot be taken back before it expires.
"""

import base64
import binascii
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec
from django.conf import settings
from django.utils.encoding import force_bytes

from apps.common.errors import DomainError

if TYPE_CHECKING:  # the transfer door reads tickets, and knows no tables
    from apps.artifacts.models import Upload

PREFIX = "/transfer/"
DOMAIN = b"datahall-transfer-ticket-v1"
MAX_CHARACTERS = 4096
LIFETIME_SECONDS = 3600


class TicketForged(DomainError):
    """The address was not made by this installation."""

    status = 403


class TicketExpired(DomainError):
    """The address was good once."""

    status = 403


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    verb: Literal["get", "put"]
    holder: UUID  # whom it was given to
    expires: int  # Unix seconds
    size: int
    digest: str  # of the bytes to fetch; for "put" the declared one, "" if the sender cannot know
    upload: UUID | None = None
    filename: str = ""
    media_type: str = ""


def download_url(
    *,
    digest: str,
    size: int,
    holder: UUID,
    filename: str | None = None,
    media_type: str | None = None,
) -> str:
    """An address (absolute path) that gives the bytes, for one to two hours."""
    # the end is on the hour, so that a page asking again gets the same address and uses its cache
    expires = (int(time.time()) // LIFETIME_SECONDS + 2) * LIFETIME_SECONDS
    return PREFIX + write(
        Ticket(
            verb="get",
            holder=holder,
            expires=expires,
            size=size,
            digest=digest,
            filename=filename or "",
            media_type=media_type or "",
        )
    )


def upload_url(*, upload: "Upload") -> str:
    """An address (absolute path) that takes the bytes of an upload, as long as the upload lives."""
    return PREFIX + write(
        Ticket(
            verb="put",
            holder=upload.holder,
            expires=int(upload.expires_at.timestamp()),
            size=upload.size,
            digest=upload.digest,
            upload=upload.id,
        )
    )


def write(ticket: Ticket) -> str:
    """The text of a ticket: only what is safe in a path."""
    body = msgspec.msgpack.encode(ticket)
    return f"{_text(body)}.{_text(_seals(body)[0])}"


def read(text: str, *, now: float) -> Ticket:
    """The ticket in a text; raises ``TicketForged`` or ``TicketExpired``."""
    first, _, second = text.partition(".")
    try:
        if len(text) > MAX_CHARACTERS:
            raise TicketForged
        body, seal = _bytes(first), _bytes(second)
    except (binascii.Error, ValueError):
        raise TicketForged from None
    if not any(hmac.compare_digest(seal, good) for good in _seals(body)):
        raise TicketForged
    ticket = msgspec.msgpack.decode(body, type=Ticket)
    if ticket.expires <= now:
        raise TicketExpired
    return ticket


def _seals(body: bytes) -> list[bytes]:
    """The seal by the current secret, then by those it replaced."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = (hmac.digest(force_bytes(secret), DOMAIN, hashlib.sha256) for secret in secrets)
    return [hmac.digest(key, body, hashlib.sha256) for key in keys]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
