"""What a payload left under DATAHALL_OUTPUTS, by digest."""

import errno
import hashlib
import logging
import os
import unicodedata
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from agents.node import files
from agents.node.failures import Failed
from agents.protocol.specs import FileRef
from agents.protocol.workloads import Cause

log = logging.getLogger(__name__)

MAX_LIST_BYTES = 512 * 1024  # all names together travel in one report
NO_OUTPUT = {errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENXIO}


@dataclass(frozen=True)
class Output:
    ref: FileRef
    folder: Path  # where DATAHALL_OUTPUTS is

    def open(self) -> BufferedReader:
        """Its bytes; never those of a file outside, whatever lies at its path by now."""
        with files.folder_at(self.folder) as root:
            return os.fdopen(files.open_plain(root, self.ref.path, known_as=self.folder), "rb")


def collect(folder: Path) -> list[Output]:
    """Every file below, sorted; links within the folder count as what they lead to.

    Raises ``Failed`` for a name no system could carry or for too many of them.
    """
    outputs: list[Output] = []
    list_bytes = 0
    with files.folder_at(folder) as root:
        for path in sorted(files.walk(root)):
            opened = _opened(root, path, folder)
            if opened is None:
                continue
            with opened as stream:
                list_bytes += len(path.encode("utf-8", "surrogateescape")) + 100
                _check(path, list_bytes)
                outputs.append(Output(_ref(path, stream), folder))
    return outputs


def is_plain(name: str) -> bool:
    """Whether a name is real text without control characters."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def _opened(root: int, path: str, folder: Path) -> BufferedReader | None:
    """None for what is no output: a pipe, a socket, a link that leads out or to no plain file."""
    try:
        return os.fdopen(files.open_plain(root, path, known_as=folder), "rb")
    except OSError as error:
        if error.errno not in NO_OUTPUT:
            raise
        log.warning("output %r of %s is left out: %s", path, folder, error)
        return None


def _check(path: str, list_bytes: int) -> None:
    if list_bytes > MAX_LIST_BYTES:
        raise Failed("too_many_outputs", cause=Cause.USER_CODE, limit_bytes=MAX_LIST_BYTES)
    if not is_plain(path):
        shown = path.encode("utf-8", "backslashreplace").decode()
        raise Failed("output_name_unusable", cause=Cause.USER_CODE, path=shown[:200])


def _ref(path: str, stream: BufferedReader) -> FileRef:
    size = os.fstat(stream.fileno()).st_size
    return FileRef(path=path, digest=hashlib.file_digest(stream, "sha256").hexdigest(), size=size)
