"""Reasons as JSON columns keep them."""

from collections.abc import Mapping
from typing import Any

from agents.protocol.base import Reason
from apps.common.jsonb import storable


def to_row(reason: Reason) -> dict[str, Any]:
    """What a column keeps; parameters may come from a node, so they are made storable."""
    return {"code": storable(reason.code), "params": storable(reason.params)}


def from_row(row: Mapping[str, Any] | None) -> Reason | None:
    """The inverse of ``to_row``; None where no reason is kept."""
    return None if row is None else Reason(code=row["code"], params=row.get("params") or {})
