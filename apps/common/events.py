"""Facts inside the control plane, said after commit.

``publish`` does two things once the transaction holds: it calls this process's subscribers, and it
tells the watchers of the event's topics. Both may be lost in a crash; what must follow has a sweep.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar, TypeVar

from django.db import transaction

from apps.common import hub

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A fact in the past tense. ``topics`` are told its fields (topic names are built of UUIDs)."""

    name: ClassVar[str]

    @property
    def topics(self) -> list[str]:
        return []


E = TypeVar("E", bound=Event)
_subscribers: dict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)


def subscribe(kind: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]:
    """Call the function with every event of this kind, after commit, in the publishing process."""

    def register(function: Callable[[E], None]) -> Callable[[E], None]:
        _subscribers[kind].append(function)
        return function

    return register


def publish(event: Event) -> None:
    """Say a fact once the current transaction holds."""
    transaction.on_commit(partial(_deliver, event))


def _deliver(event: Event) -> None:
    for function in _subscribers[type(event)]:
        try:
            function(event)
        except Exception:
            log.exception("subscriber %s failed on %s", function.__qualname__, event.name)
    for topic in event.topics:
        hub.tell(topic, {"event": event.name, **asdict(event)})
