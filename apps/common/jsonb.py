"""What a JSON column can hold of values that strangers made up."""

import math
from typing import Any


def storable(value: Any) -> Any:
    """The value without what Postgres refuses: NUL in texts, numbers that are none.

    A number that is none becomes null: no number is better than a wrong one.
    """
    match value:
        case str():
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {storable(key): storable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [storable(inner) for inner in value]
        case _:
            return value
