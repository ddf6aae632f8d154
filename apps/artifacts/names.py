"""What people may call a dataset or a model.

A name stands in addresses, in references such as `digits@3` and as a folder on nodes.
"""

import re
import unicodedata
from uuid import UUID

from apps.artifacts import paths
from apps.common.errors import DomainError

_NAME = re.compile(r"[^\W_][\w.-]{0,99}")  # letters of any script


class NameRefused(DomainError):
    """Not a name that can stand everywhere."""

    status = 422


def check(name: str) -> None:
    """Raise ``NameRefused`` unless this can be a name."""
    if not possible(name):
        raise NameRefused(name=name[:100])


def possible(text: str) -> bool:
    """Whether anything could be called that; what could not need not be looked for."""
    return (
        _NAME.fullmatch(text) is not None
        and paths.fault(text) is None
        and uuid_of(text) is None
        and unicodedata.is_normalized("NFC", text)
    )


def uuid_of(text: str) -> UUID | None:
    """The identifier that a reference is, if it is one and not a name."""
    try:
        return UUID(text)
    except ValueError:
        return None
