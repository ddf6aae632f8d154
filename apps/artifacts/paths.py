"""Which names files of a set may have, so that the set means the same on every disk.

Names are refused, never mended: a file that silently changed its place is worse than a question.
The one exception is Unicode's composed form, which people cannot see and file systems differ in.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

from apps.common.errors import DomainError

MAX_FILES = 100_000
MAX_PATH_BYTES = 1024
MAX_SEGMENT_BYTES = 255

# turn the direction of writing, so that a name shows as another one; or cannot be seen at all
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_DRIVE = re.compile(r"[A-Za-z]:")
# what Windows takes for a device, with any ending
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class FilesMissing(DomainError):
    """A set without a file."""

    status = 422


class TooManyFiles(DomainError):
    status = 422


class PathEmpty(DomainError):
    status = 422


class PathAbsolute(DomainError):
    """From the root, or from a drive."""

    status = 422


class PathBackslash(DomainError):
    status = 422


class PathControlCharacter(DomainError):
    """Something that cannot be seen, or makes the rest look like something else."""

    status = 422


class PathTooLong(DomainError):
    status = 422


class PathStepsOut(DomainError):
    """An empty part, "." or "..", which a disk would resolve."""

    status = 422


class PathNotPortable(DomainError):
    """A name that some system cannot store."""

    status = 422


class PathClash(DomainError):
    """Two names of which some disk can hold only one."""

    status = 422


def check(paths: Collection[str]) -> None:
    """Raise the first thing that is wrong with a set of paths."""
    if not paths:
        raise FilesMissing
    if len(paths) > MAX_FILES:
        raise TooManyFiles(count=len(paths), most=MAX_FILES)
    for path in paths:
        if refusal := fault(path):
            raise refusal(path=path)
    for other, path in clashes(paths):
        raise PathClash(path=path, other=other)


def composed(path: str) -> str:
    """The path in Unicode's composed form (NFC), as every stored path is."""
    return unicodedata.normalize("NFC", path)


def fault(path: str) -> type[DomainError] | None:
    """Why a path cannot be taken, or None."""
    if not path:
        return PathEmpty
    if path.startswith("/") or _DRIVE.match(path):
        return PathAbsolute
    if "\\" in path:
        return PathBackslash
    if any(c in _TURNS or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in path):
        return PathControlCharacter
    if len(path.encode()) > MAX_PATH_BYTES:
        return PathTooLong
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            return PathStepsOut
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            return PathTooLong
        if segment.endswith((".", " ")) or _DEVICE.fullmatch(segment):
            return PathNotPortable
    return None


def clashes(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs that are one name on some disks, or of which one is a file and the other its folder."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        key = folded(path)
        if other := files.get(key) or folders.get(key):
            yield other, path
        files.setdefault(key, path)
        for folder in _folders(path):
            key = folded(folder)
            other = files.get(key)
            if other is None:
                other = folders.setdefault(key, folder)
                if other == folder:
                    continue
            yield other, path


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def folded(path: str) -> str:
    """Equal for names that a disk blind to case or to Unicode's forms would call the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
