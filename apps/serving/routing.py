"""By what a gateway routes, and to which replica a call goes. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from agents.protocol.base import Reason
from apps.serving.checks import Checker


@dataclass(frozen=True, slots=True)
class Place:
    """A ready replica: where it is reached, and what it serves."""

    replica_id: UUID
    host: str
    port: int
    certificate: str
    bearer: str = field(repr=False)
    model: str  # "digits@1"
    model_json: bytes  # the same as JSON
    checker: Checker


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint as a gateway knows it."""

    id: UUID
    name: str  # the same as text, as it stands in addresses
    project_id: UUID
    max_queue: int
    timeout_seconds: float
    places: tuple[Place, ...]
    why: Reason | None  # there is no place


@dataclass(frozen=True, slots=True)
class KeyRoute:
    """A key as a gateway knows it."""

    id: UUID
    endpoint_id: UUID
    secret_sha256: str = field(repr=False)
    expires_at: float  # Unix seconds
    revoked: bool
    requests_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """All that a gateway routes by, as it was at one time."""

    routes: Mapping[str, Route]  # by the endpoint's id as text
    keys: Mapping[str, KeyRoute]  # by the key's id as 32 digits

    def places(self) -> dict[UUID, Place]:
        return {place.replica_id: place for route in self.routes.values() for place in route.places}


class Taking(Protocol):
    """Something that takes calls."""

    outstanding: int
    turn: int  # of the call it was last given


T = TypeVar("T", bound=Taking)


def pick(candidates: Iterable[T]) -> T | None:
    """Whoever has the fewest calls outstanding; of equals the one that waited longest."""
    return min(candidates, key=lambda one: (one.outstanding, one.turn), default=None)


class Pace:
    """So many requests per minute; as many as a minute's worth may come at once.

    Kept as the time at which the bucket would be full again (GCRA): one number, no refilling.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._interval = 60.0 / per_minute if per_minute else 60.0
        self._full_at = 0.0

    def take(self, now: float) -> float:
        """Seconds until a request may come; 0: this one may, and is counted."""
        if not self.per_minute:
            return 60.0
        full_at = max(self._full_at, now) + self._interval
        wait = full_at - now - 60.0
        if wait > 1e-9:
            return wait
        self._full_at = full_at
        return 0.0
