"""One JSON per message and version: what was ever sent must be read forever.

Files are added, with a new version's fields; a file that is there is never changed.
"""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import agents.protocol
from agents.protocol import PROTOCOL_VERSION
from agents.protocol.base import Message

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("v*/*.json"))
NOT_SENT = {"Manifest", "Parameter"}  # read from the recipes' folder, on either side


def all_messages(kind: type[Message] = Message) -> Iterator[type[Message]]:
    for module in pkgutil.iter_modules(agents.protocol.__path__):
        importlib.import_module(f"agents.protocol.{module.name}")
    for below in kind.__subclasses__():
        if below.__module__.startswith("agents.protocol."):
            yield below
            yield from all_messages(below)


KINDS = {kind.__name__: kind for kind in all_messages() if kind.__name__ not in NOT_SENT}


def kind_of(path: Path) -> type[Message]:
    return KINDS[path.stem.partition(".")[0]]


def read(path: Path) -> tuple[type[Message], Any]:
    return kind_of(path), json.loads(path.read_text())


files = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")


@files
def test_is_read_and_nothing_of_it_is_lost(path: Path) -> None:
    kind, body = read(path)
    message = msgspec.json.decode(path.read_bytes(), type=kind)

    assert msgspec.to_builtins(message) == body


@files
def test_survives_both_encodings(path: Path) -> None:
    kind, _ = read(path)
    message = msgspec.json.decode(path.read_bytes(), type=kind)

    assert msgspec.json.decode(msgspec.json.encode(message), type=kind) == message
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=kind) == message


@files
def test_is_read_without_the_fields_that_have_a_default(path: Path) -> None:
    """An older sender leaves out what it does not know."""
    kind, body = read(path)
    fields = msgspec.structs.fields(kind)
    needed = {field.encode_name for field in fields if field.required}
    tag = kind.__struct_config__.tag_field

    msgspec.convert(
        {key: value for key, value in body.items() if key in needed or key == tag},
        kind,
        strict=False,
    )


@files
def test_is_read_with_fields_that_nobody_knows_yet(path: Path) -> None:
    kind, body = read(path)
    newer = json.dumps({**body, "invented_later": {"a": [1]}})

    assert msgspec.to_builtins(msgspec.json.decode(newer, type=kind)) == body


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_message_has_a_file_that_shows_all_its_fields(name: str) -> None:
    shown: set[str] = set()
    for path in FILES:
        if kind_of(path) is KINDS[name]:
            shown |= json.loads(path.read_text()).keys()

    fields = {field.encode_name for field in msgspec.structs.fields(KINDS[name])}
    assert fields <= shown


def test_there_is_a_folder_for_every_version() -> None:
    folders = {path.name for path in GOLDEN.iterdir()}

    assert folders == {f"v{number}" for number in range(1, PROTOCOL_VERSION + 1)}
