"""What upper apps answer when a page asks all of them: who made this, what needs somebody, what is
called that.

An app registers functions in its `answers.py`, which every process imports; the app that asks knows
none of them. Where nobody answers, the page shows less.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db.models import Case, IntegerField, Model, Q, QuerySet, Value, When

from agents.protocol.base import Reason

MOST_ITEMS = 50  # that one function may ask attention for
MOST_FOUND = 8  # of one type

M = TypeVar("M", bound=Model)
F = TypeVar("F", bound=Callable[..., Any])


class HasId(Protocol):
    """A project, for an app below projects."""

    id: UUID


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A thing that a page can show."""

    type: str
    id: UUID
    name: str  # as references spell it: "digits@2" of a version


@dataclass(frozen=True, kw_only=True)
class Found(Subject):
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that needs somebody."""

    kind: str  # "job_failed"
    severity: str  # "error" | "warning"
    since: datetime
    subject: Subject
    reason: Reason
    action: str  # what would help: a word that the page has a button for


@dataclass(frozen=True, kw_only=True)
class Maker:
    """The job, and which try at it, that made something."""

    id: UUID
    name: str
    run: int


Attends = Callable[[HasId, datetime], Iterable[Item]]
Finds = Callable[[HasId, str], Iterable[Found]]
Names = Callable[[Collection[UUID]], dict[UUID, str]]
Makers = Callable[[Collection[UUID]], dict[UUID, Maker]]

_attends: list[Attends] = []
_finds: list[Finds] = []
_names: dict[str, Names] = {}
_makers: list[Makers] = []


def attends(function: Attends) -> Attends:
    """Ask the function what of a project needs somebody."""
    _attends.append(function)
    return function


def finds(function: Finds) -> Finds:
    """Ask the function for things of one type that are called like a text."""
    _finds.append(function)
    return function


def names(object_type: str) -> Callable[[Names], Names]:
    """Ask the function what objects of this type, as the audit has it, are called."""

    def register(function: Names) -> Names:
        _names[object_type] = function
        return function

    return register


def tells_makers(function: Makers) -> Makers:
    """Ask the function which jobs made what runs have left."""
    _makers.append(function)
    return function


def needing(project: HasId, at: datetime) -> list[Item]:
    """What of a project needs somebody: the worst first, then the newest."""
    items = [item for function in _attends for item in function(project, at)]
    return sorted(items, key=lambda i: (i.severity != "error", -i.since.timestamp(), i.subject.id))


def found(project: HasId, text: str) -> list[Found]:
    """Things that are called like a text, type by type."""
    return [thing for function in _finds for thing in function(project, text)]


def named(objects: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], str]:
    """What objects are called, as far as anybody knows; one query for each type."""
    by_type: dict[str, set[UUID]] = {}
    for object_type, id in objects:
        by_type.setdefault(object_type, set()).add(id)
    return {
        (object_type, id): name
        for object_type, ids in by_type.items()
        if object_type in _names
        for id, name in _names[object_type](ids).items()
    }


def makers(run_ids: Collection[UUID]) -> dict[UUID, Maker]:
    """Which jobs the runs are of, as far as anybody knows."""
    known: dict[UUID, Maker] = {}
    for function in _makers:
        known |= function(run_ids)
    return known


def called(rows: QuerySet[M], text: str, *, field: str = "name") -> QuerySet[M]:
    """Those of the rows whose name holds the text: first those that begin with it, then the newest;
    no more than a search shows."""
    begins = Case(
        When(Q((f"{field}__istartswith", text)), then=Value(0)),
        default=Value(1),
        output_field=IntegerField(),
    )
    return rows.filter(Q((f"{field}__icontains", text))).order_by(begins, "-id")[:MOST_FOUND]
