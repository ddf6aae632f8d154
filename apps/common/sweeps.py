"""What must be true again every few seconds, and how to be asked sooner."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from apps.common.models import IdempotencyKey

CHANNEL = "datahall_wake"


@dataclass(frozen=True)
class Sweep:
    """A function the controller calls: every ``seconds``, and when its ``wake`` word is said."""

    name: str
    seconds: float
    wake: str | None
    run: Callable[[], None]


SWEEPS: dict[str, Sweep] = {}


def every(
    *, seconds: float, wake: str | None = None
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a sweep. It may run at any time, twice, or not at all, without harm."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        name = f"{function.__module__.split('.')[1]}.{function.__name__}"
        SWEEPS[name] = Sweep(name, seconds, wake, function)
        return function

    return register


def wake(word: str) -> None:
    """Ask for the sweeps of this word soon, once the current transaction holds."""
    transaction.on_commit(lambda: _notify(word))


def _notify(word: str) -> None:
    # a statement of its own: NOTIFY inside a transaction takes a global lock at its commit
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, word])


@every(seconds=3600)
def forget_idempotency_keys() -> None:
    """Drop answers that nobody will ask for again."""
    day_ago = timezone.now() - timedelta(days=1)
    IdempotencyKey.objects.filter(created_at__lt=day_ago).delete()
