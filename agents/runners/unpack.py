"""Open a zip that a stranger sent.

Only plain files and folders with plain names come out; one odd entry refuses the whole archive.
Sizes are counted while reading, because an archive may lie about them.
"""

import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from agents.protocol.specs import ImportSpec
from agents.runners.failure import Failure

COPY_BYTES = 1024 * 1024
MAX_NAME_BYTES = 255
MAX_DEPTH = 32
SMALL_BYTES = 1024 * 1024  # below it a high ratio is harmless: a blank picture packs very well


def unpack(archive: Path, target: Path, limits: ImportSpec) -> None:
    """Unpack into an empty folder; raises ``Failure`` and says which entry was refused."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            check(entries, limits)
            left = limits.max_unpacked_bytes
            for entry in entries:
                path = target / entry.filename
                if entry.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                left -= _copy(opened, entry, path, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise Failure("archive_unreadable", archive=archive.name, why=str(error)) from None


def check(entries: list[zipfile.ZipInfo], limits: ImportSpec) -> None:
    """Refuse an archive by its table of contents."""
    if len(entries) > limits.max_entries:
        raise Failure("archive_too_many_entries", entries=len(entries), most=limits.max_entries)
    total = sum(entry.file_size for entry in entries)
    if total > limits.max_unpacked_bytes:
        raise Failure("archive_too_large", bytes=total, most=limits.max_unpacked_bytes)
    seen: dict[str, str] = {}
    for entry in entries:
        _check_name(entry)
        _check_kind(entry)
        if entry.file_size > SMALL_BYTES and (
            entry.file_size > limits.max_ratio * max(entry.compress_size, 1)
        ):
            raise Failure("archive_bomb", entry=_shown(entry), ratio=limits.max_ratio)
        # one name on a disk that folds case or composes accents
        folded = unicodedata.normalize("NFC", entry.filename).casefold().rstrip("/")
        if folded in seen:
            raise Failure("archive_name_twice", entry=_shown(entry), other=seen[folded])
        seen[folded] = _shown(entry)


def _check_name(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = PurePosixPath(name).parts
    odd = (
        not parts
        or len(parts) > MAX_DEPTH
        or name.startswith("/")
        or "\\" in name
        or ":" in parts[0]
        or ".." in parts
        or any(len(part.encode()) > MAX_NAME_BYTES for part in parts)
        or any(unicodedata.category(letter) in ("Cc", "Cf", "Cs") for letter in name)
    )
    if odd:
        raise Failure("archive_name_refused", entry=_shown(entry))


def _check_kind(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Failure("archive_link_refused", entry=_shown(entry))
    if entry.flag_bits & 0x1:
        raise Failure("archive_encrypted", entry=_shown(entry))


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    written = 0
    with opened.open(entry) as source, path.open("xb") as sink:
        while block := source.read(COPY_BYTES):
            written += len(block)
            if written > left or written > entry.file_size:
                raise Failure("archive_bomb", entry=_shown(entry), ratio=0)
            sink.write(block)
    return written


def _shown(entry: zipfile.ZipInfo) -> str:
    """The name, safe to print."""
    return ascii(entry.filename)[1:-1][:200]
