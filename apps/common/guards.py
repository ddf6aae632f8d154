"""Why a thing may not be deleted, said by those who use it.

An upper app registers a guard for a lower app's model; the lower app asks all guards before it
deletes, and knows none of them.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)
_guards: dict[type[models.Model], list[Callable[[Any], None]]] = defaultdict(list)


def guard_deletion(model: type[M]) -> Callable[[Callable[[M], None]], Callable[[M], None]]:
    """Ask the function, which refuses by raising, before a row of this model is deleted."""

    def register(function: Callable[[M], None]) -> Callable[[M], None]:
        _guards[model].append(function)
        return function

    return register


def check_deletion(obj: models.Model) -> None:
    """Raise the first refusal there is; to be called in the transaction that deletes."""
    for guard in _guards[type(obj)]:
        guard(obj)
