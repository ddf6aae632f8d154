"""What a tree of paths is: pure, so that an import and a recipe read the same tree the same way."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
TABLES = frozenset({".csv", ".tsv"})
NOTES = frozenset({"license", "licenses", "licence", "readme", "notice", "citation"})
LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
STRAY_SHARE = 10  # one file in so many may be no picture: a note, a list, a script
TRAIN = frozenset({"train", "training"})
TEST = frozenset({"test", "testing", "val", "valid", "validation"})


@dataclass(frozen=True)
class Picture:
    path: str
    split: str  # "" if the tree has none
    label: str  # the name of its folder; "" if the tree has none


@dataclass(frozen=True)
class Layout:
    kind: str  # as in `Profile.kind`
    pictures: list[Picture] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def recognise(paths: Iterable[str]) -> Layout:
    """Tell pictures by class (``[split/]class/file``), pictures, tables and other files apart."""
    kept = sorted(path for path in paths if not _is_litter(path))
    pictures = [path for path in kept if _suffix(path) in PICTURES]
    tables = [path for path in kept if _suffix(path) in TABLES]
    others = [path for path in kept if _suffix(path) not in PICTURES | TABLES]
    data = [path for path in others if PurePosixPath(path).stem.lower() not in NOTES]
    if pictures and not tables and len(data) * STRAY_SHARE <= len(pictures):
        return _pictures(pictures, others)
    if tables and not pictures and not data:
        return Layout("table", tables=tables, others=others)
    return Layout("files", tables=tables, others=[*pictures, *others])


def _pictures(paths: list[str], others: list[str]) -> Layout:
    skip = _shared_depth(paths)
    found = [_place(path, skip) for path in paths]
    by_class = len({picture.label for picture in found}) > 1 and all(p.label for p in found)
    if by_class:
        return Layout("images_by_class", pictures=found, others=others)
    bare = [Picture(picture.path, picture.split, "") for picture in found]
    return Layout("images", pictures=bare, others=others)


def _place(path: str, skip: int) -> Picture:
    folders = PurePosixPath(path).parts[skip:-1]
    split = ""
    if folders and folders[0].lower() in TRAIN | TEST:
        split, folders = folders[0], folders[1:]
    return Picture(path, split, folders[0] if folders else "")


def _shared_depth(paths: list[str]) -> int:
    """How many leading folders all paths share: the one that zipping a folder adds, say."""
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    depth = 0
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1 or level[0].lower() in TRAIN | TEST:
            break
        depth += 1
    return depth


def _is_litter(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return any(part.startswith(".") or part in LITTER for part in parts)


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def count(pictures: Iterable[Picture]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Pictures per split and class, and per class."""
    per_split: dict[str, Counter[str]] = {}
    for picture in pictures:
        per_split.setdefault(picture.split, Counter())[picture.label] += 1
    totals: Counter[str] = sum(per_split.values(), Counter())
    return (
        {split: dict(sorted(counts.items())) for split, counts in sorted(per_split.items())},
        dict(sorted(totals.items())),
    )
