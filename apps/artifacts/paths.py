"""Which names files of a set may have, so that the set means the same on every disk.

Names are refused, never mended: a file that silently changed its place is worse than a question.
The one exception is Unicode's composed form, which people cannot see and file systems differ in.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

MAX_FILES = 100_000
MAX_PATH_BYTES = 1024
MAX_SEGMENT_BYTES = 255

# turn the direction of writing, so that a name shows as another one; or cannot be seen at all
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_DRIVE = re.compile(r"[A-Za-z]:")
# what Windows takes for a device, with any ending
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def composed(path: str) -> str:
    """The path in Unicode's composed form (NFC), as every stored path is."""
    return unicodedata.normalize("NFC", path)


def fault(path: str) -> str | None:
    """The message code that says why a path cannot be taken, or None."""
    if not path:
        return "path_empty"
    if path.startswith("/") or _DRIVE.match(path):
        return "path_absolute"
    if "\\" in path:
        return "path_backslash"
    if any(c in _TURNS or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in path):
        return "path_control_character"
    if len(path.encode()) > MAX_PATH_BYTES:
        return "path_too_long"
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            return "path_steps_out"
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            return "path_too_long"
        if segment.endswith((".", " ")) or _DEVICE.fullmatch(segment):
            return "path_not_portable"
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
            if (other := files.get(key)) or (other := folders.get(key, folder)) != folder:
                yield other, path
            folders.setdefault(key, folder)


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def folded(path: str) -> str:
    """Equal for names that a disk blind to case or to Unicode's forms would call the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
