"""What a node may say of itself. It is stored and shown, so all of it is bounded."""

import re
from collections.abc import Iterator
from typing import Any

from agents.protocol.link import DeviceInfo, Inventory, Isolation
from apps.common.errors import DomainError

MOST_CPU_MILLIS = 10_000_000
MOST_BYTES = 1 << 60
MOST_DEVICES = 256
MOST_INDEX = 10_000
MOST_LIMITS = 16
MOST_FACTS = 500  # values in all, at any depth
DEEPEST_FACTS = 6
LONGEST_FACT = 1000

_ODD_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class InventoryRefused(DomainError):
    """A node says something of itself that cannot be."""

    status = 422


def check(inventory: Inventory) -> None:
    """Refuse an inventory that no host has."""
    _text("hostname", inventory.hostname, 255)
    _number("cpu_millis", inventory.cpu_millis, 1, MOST_CPU_MILLIS)
    _number("memory_bytes", inventory.memory_bytes, 1, MOST_BYTES)
    _number("disk_bytes", inventory.disk_bytes, 0, MOST_BYTES)
    _facts("facts", inventory.facts)
    if inventory.isolation is not None:
        _isolation(inventory.isolation)
    _number("devices", len(inventory.devices), 0, MOST_DEVICES)
    for device in inventory.devices:
        _device(device)
    if len({device.uuid for device in inventory.devices}) < len(inventory.devices):
        raise InventoryRefused(field="devices.uuid")


def check_text(field: str, text: str, longest: int) -> None:
    """Refuse a text that is too long to keep, or that holds what Postgres cannot."""
    _text(field, text, longest)


def name_from(*wishes: str) -> str:
    """A node's name out of the first wish with anything usable in it; it fits a URL and a path."""
    for wish in wishes:
        name = _ODD_IN_NAMES.sub("-", wish)[:80].strip("-._")
        if name:
            return name
    return "node"


def _isolation(told: Isolation) -> None:
    _text("isolation.profile", told.profile, 32)
    if told.reason is not None:
        _text("isolation.reason", told.reason.code, 100)
        _facts("isolation.reason", told.reason.params)
    _number("isolation.limits", len(told.limits), 0, MOST_LIMITS)
    for limit in told.limits:
        _text("isolation.limits", limit, 32)


def _device(device: DeviceInfo) -> None:
    _text("devices.uuid", device.uuid, 96)
    _text("devices.name", device.name, 128)
    _number("devices.memory_bytes", device.memory_bytes, 0, MOST_BYTES)
    _number("devices.index", device.index, 0, MOST_INDEX)
    _text("devices.parent", device.parent, 96)
    _facts("devices.facts", device.facts)
    if not device.uuid:
        raise InventoryRefused(field="devices.uuid")


def _number(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InventoryRefused(field=field)


def _text(field: str, text: str, longest: int) -> None:
    if len(text) > longest or not _storable(text):
        raise InventoryRefused(field=field)


def _facts(field: str, facts: dict[str, Any]) -> None:
    for count, value in enumerate(_values(facts)):
        if count >= MOST_FACTS or not _is_fact(value):
            raise InventoryRefused(field=field)


def _values(facts: dict[str, Any], depth: int = 1) -> Iterator[Any]:
    """Every key and every value; containers too deep come as themselves, which is no fact."""
    for key, value in facts.items():
        yield key
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inner, dict) and depth < DEEPEST_FACTS:
            yield from _values(inner, depth + 1)
        else:
            yield value


def _is_fact(value: Any) -> bool:
    match value:
        case str():
            return len(value) <= LONGEST_FACT and _storable(value)
        case float():
            return value == value and abs(value) != float("inf")
        case None | bool():
            return True
        case int():
            return abs(value) < 1 << 63
        case _:
            return False


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
