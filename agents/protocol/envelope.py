"""Signed commands. Nodes trust a signature, not a broker.

``base64(payload).base64(signature)``; Ed25519 (RFC 8032) over a domain prefix and the exact payload
bytes, verified before anything is parsed.
"""

import base64
import binascii
from typing import Literal
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agents.protocol.base import Message

DOMAIN = b"datahall-envelope-v1\0"
MAX_BYTES = 64 * 1024
LIFETIME_SECONDS = 600
CLOCK_TOLERANCE_SECONDS = 30


class Order(Message):
    """The signed payload: which workload of which node is to do what, and until when it holds."""

    kid: str  # id of the signing key
    aud: UUID  # the node it is for
    seq: int  # per node, rising
    jti: UUID  # of this envelope
    iat: int  # Unix seconds
    exp: int
    op: Literal["start", "stop"]
    gang: UUID
    workload: UUID
    fence: int
    spec_sha256: str = ""  # hex; of the exact spec bytes, for "start"
    grace_seconds: float = 10.0  # for "stop"


class Refused(Exception):
    """The envelope is not to be obeyed. ``code`` says why; it is counted, never answered."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def seal(order: Order, key: Ed25519PrivateKey) -> str:
    """Sign an order."""
    payload = msgspec.json.encode(order)
    signature = key.sign(DOMAIN + payload)
    return f"{base64.b64encode(payload).decode()}.{base64.b64encode(signature).decode()}"


def open_envelope(text: str, *, node: UUID, keys: dict[str, Ed25519PublicKey], now: float) -> Order:
    """Verify and read an envelope for this node; raises ``Refused`` on anything odd.

    ``now`` is server time in Unix seconds. Replays are the caller's to refuse, by ``jti``.
    """
    payload = _verified(text, keys)
    try:
        order = msgspec.json.decode(payload, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("malformed") from None
    if order.aud != node:
        raise Refused("not_for_this_node")
    if order.exp < now:
        raise Refused("expired")
    if order.iat > now + CLOCK_TOLERANCE_SECONDS or order.exp - order.iat > LIFETIME_SECONDS:
        raise Refused("bad_times")
    return order


def _verified(text: str, keys: dict[str, Ed25519PublicKey]) -> bytes:
    if not isinstance(text, str) or len(text) > MAX_BYTES or not text.isascii():
        raise Refused("malformed")
    first, dot, second = text.partition(".")
    if not dot:
        raise Refused("malformed")
    try:
        payload = base64.b64decode(first, validate=True)
        signature = base64.b64decode(second, validate=True)
    except binascii.Error:
        raise Refused("malformed") from None
    for key in keys.values():  # the key id is inside the payload, which is not read before this
        try:
            key.verify(signature, DOMAIN + payload)
        except InvalidSignature:
            continue
        return payload
    raise Refused("bad_signature")


def queue_of(node: UUID) -> str:
    """The node's own Celery queue: the only place that spells it."""
    return f"node.{node}:cmd"


TASK_NAME = "agent.envelope"
