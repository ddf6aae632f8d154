"""What a payload left under DATAHALL_OUTPUTS, by digest."""

import hashlib
import logging
import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.node.failures import Failed
from agents.protocol.specs import FileRef
from agents.protocol.workloads import Cause

log = logging.getLogger(__name__)

MAX_LIST_BYTES = 512 * 1024  # all names together travel in one report


@dataclass(frozen=True)
class Output:
    ref: FileRef
    source: Path


def collect(folder: Path) -> list[Output]:
    """Every file below, sorted; links within the folder count as what they lead to.

    Raises ``Failed`` for a name no system could carry or for too many of them.
    """
    outputs: list[Output] = []
    list_bytes = 0
    for source, path in sorted(_walk(folder), key=lambda found: found[1]):
        list_bytes += len(path.encode("utf-8", "surrogateescape")) + 100
        if list_bytes > MAX_LIST_BYTES:
            raise Failed("too_many_outputs", cause=Cause.USER_CODE, limit_bytes=MAX_LIST_BYTES)
        if not is_plain(path):
            shown = path.encode("utf-8", "backslashreplace").decode()
            raise Failed("output_name_unusable", cause=Cause.USER_CODE, path=shown[:200])
        outputs.append(Output(_ref(source, path), source))
    return outputs


def is_plain(name: str) -> bool:
    """Whether a name is real text without control characters."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    root = folder.resolve()
    for here, _, names in os.walk(folder):
        for name in names:
            path = Path(here, name)
            target = path.resolve() if path.is_symlink() else path
            if path.is_symlink() and not target.is_relative_to(root):
                log.warning("output %s leads out of the outputs; it is left out", path)
            elif target.is_file():
                yield target, path.relative_to(folder).as_posix()


def _ref(source: Path, path: str) -> FileRef:
    file = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(file, "rb") as stream:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{source} is no plain file")
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRef(path=path, digest=digest, size=status.st_size)
