"""What a metric point may be, and how JSON carries it. Pure."""

from math import isfinite

from agents.protocol.link import Point

MAX_NAME = 250
MAX_STEP = 2**63 - 1


def is_storable(point: Point) -> bool:
    return (
        0 < len(point.name) <= MAX_NAME and "\0" not in point.name and abs(point.step) <= MAX_STEP
    )


def in_json(value: float) -> float | str:
    """A number, or the word for what JSON has no number for."""
    if isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
