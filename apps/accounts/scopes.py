"""How far a token reaches: each scope covers the ones before it."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"  # what only operators may do; worth nothing to anybody else


_RANK = {scope: rank for rank, scope in enumerate(Scope)}


def covers(held: Iterable[str], needed: Scope) -> bool:
    """Whether a token with these scopes may do what needs that one."""
    return any(_RANK[Scope(scope)] >= _RANK[needed] for scope in held)
