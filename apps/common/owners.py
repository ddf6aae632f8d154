"""What owns a gang, by name, said by the app that knows.

An upper app registers how its owners are called; the lower app, which shows what runs where, asks
by kind and knows none of them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class OwnerName:
    """What a person looks for: the try of a job, the replica of an endpoint."""

    kind: str  # "train", "import", ..., "replica"
    id: UUID  # of the job or the endpoint
    name: str
    number: int  # of the run or the replica


Namer = Callable[[Collection[UUID]], Mapping[UUID, OwnerName]]
_namers: dict[str, Namer] = {}


def name_owners(kind: str) -> Callable[[Namer], Namer]:
    """Ask the function for the names of owners of this kind."""

    def register(function: Namer) -> Namer:
        _namers[kind] = function
        return function

    return register


def names_of(kind: str, ids: Collection[UUID]) -> Mapping[UUID, OwnerName]:
    """The names of those of the owners that somebody knows."""
    return _namers[kind](ids) if kind in _namers else {}
