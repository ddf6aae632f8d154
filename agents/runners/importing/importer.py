"""The import job: open what was uploaded, refuse what is broken, describe the rest."""

import os
from pathlib import Path

import msgspec

from agents.protocol.results import PROFILE_FILE, Profile
from agents.protocol.specs import ImportSpec
from agents.runners.context import RunContext
from agents.runners.failure import Failure
from agents.runners.importing import layout, pictures, tables
from agents.runners.order import Order
from agents.runners.unpack import unpack


def run(payload: ImportSpec, order: Order) -> None:
    """Leave ``profile.json`` and thumbnails of the only input."""
    context = RunContext(order)
    root, unpacked = _open(payload, order, context)
    paths = files_below(root)
    if not paths:
        raise Failure("nothing_to_import")
    found = layout.recognise(paths)
    context.say(f"{len(paths)} files: {found.kind}")
    match found.kind:
        case "images" | "images_by_class":
            profile = pictures.profile(root, found, context)
        case "table":
            profile = tables.profile(root, found.tables, context)
        case _:
            profile = Profile(kind="files", samples=len(paths))
    context.leave(PROFILE_FILE, msgspec.structs.replace(profile, unpack=unpacked))


def _open(payload: ImportSpec, order: Order, context: RunContext) -> tuple[Path, bool]:
    """The folder to look at, and whether it is the contents of one archive."""
    (item,) = order.spec.inputs
    root = order.inputs / item.name
    if len(item.files) != 1 or not item.files[0].path.lower().endswith(".zip"):
        return root, False
    target = order.work / "unpacked"
    target.mkdir()
    context.say(f"unpacking {item.files[0].path}")
    unpack(root / item.files[0].path, target, payload)
    return target, True


def files_below(root: Path) -> list[str]:
    """Every file below a folder, relative, with forward slashes."""
    return [
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root, followlinks=False)
        for name in names
    ]
