"""How secrets look, and what is kept of them."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from uuid import UUID

USER_PREFIX = "dh"
RUN_PREFIX = "dhr"
KEY_PREFIX = "dhk"  # of an endpoint

_SHAPE = re.compile(r"(dh[a-z]?)_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Credential:
    """The parts of a bearer token's text."""

    prefix: str
    token_id: UUID
    secret: str


def new_secret() -> str:
    """256 random bits: nobody guesses them, so a plain hash of them is safe to keep."""
    return secrets.token_urlsafe(32)


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, secret_sha256: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(sha256(secret), secret_sha256)


def text_of(prefix: str, token_id: UUID, secret: str) -> str:
    return f"{prefix}_{token_id.hex}_{secret}"


def parse(text: str, *prefixes: str) -> Credential | None:
    """Take a credential's text apart; None if it never was one of these kinds."""
    match = _SHAPE.fullmatch(text)
    if match is None or match[1] not in (prefixes or (USER_PREFIX, RUN_PREFIX)):
        return None
    return Credential(match[1], UUID(hex=match[2]), match[3])
