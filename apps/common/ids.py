"""Identifiers: UUIDv7 (RFC 9562), generated here and nowhere else, so that they sort by age."""

import secrets
import time
from uuid import UUID


def uuid7() -> UUID:
    return UUID(
        int=time.time_ns() // 1_000_000 << 80
        | 7 << 76
        | secrets.randbits(12) << 64
        | 2 << 62
        | secrets.randbits(62)
    )
