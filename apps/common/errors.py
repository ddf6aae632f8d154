"""Refusals: what the domain says no with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal with a code of the message catalogue and its parameters, never prose.

    The code is the class's name in snake case; its text is in the app's `messages/`.
    """

    status: ClassVar[int] = 409
    code: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, **params: Any) -> None:
        super().__init__(self.code, params)
        self.params = params


class NotFound(DomainError):
    """What was asked for is not there, or is not the asker's to see."""

    status = 404


class Invalid(DomainError):
    """A value cannot be taken. ``field`` names it; ``why`` is another code."""

    status = 422


@dataclass(frozen=True)
class FieldRefusal:
    """What is wrong with one field: a code of the message catalogue and its parameters."""

    field: str
    code: str
    params: Mapping[str, Any]


class InputRefused(DomainError):
    """Some fields cannot be taken, each for a reason of its own."""

    status = 422

    def __init__(self, refusals: Sequence[FieldRefusal]) -> None:
        super().__init__()
        self.refusals = refusals
