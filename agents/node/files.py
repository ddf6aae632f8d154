"""Files in folders that a payload could write to: never followed out of them.

Everything is done relative to open folders. Whoever swaps a folder for a link meanwhile changes
what a path means, not what an open folder is.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MOST_LINKS = 40  # on one way, as the kernel has it
DEEPEST = 64  # open folders at a time while deleting


class LeadsOut(OSError):
    """A link that leads out of its folder, or to nothing."""


@contextmanager
def folder_at(path: Path) -> Iterator[int]:
    """A folder, opened; not what a link in its place leads to."""
    handle = os.open(path, FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def walk(root: int) -> Iterator[str]:
    """The paths of everything in a folder that is no folder itself, links among them."""
    for here, _, names, _ in os.fwalk(".", dir_fd=root, follow_symlinks=False):
        for name in names:
            yield os.path.normpath(os.path.join(here, name))


def open_plain(root: int, path: str, *, known_as: Path) -> int:
    """A plain file below an open folder, for reading.

    Links count as what they lead to, as long as they stay inside; ``known_as`` is how absolute ones
    call the folder. Raises ``LeadsOut``, and ``OSError`` if there is no plain file.
    """
    waiting = _parts(path)
    above = [os.dup(root)]  # the folders from the root to here
    links = 0
    try:
        while waiting:
            name = waiting.pop(0)
            if name == "..":
                if len(above) == 1:
                    raise LeadsOut(errno.ELOOP, "leads out of its folder", path)
                os.close(above.pop())
                continue
            kind = os.stat(name, dir_fd=above[-1], follow_symlinks=False).st_mode
            if stat.S_ISLNK(kind):
                links += 1
                target = os.readlink(name, dir_fd=above[-1])
                if target.startswith("/"):
                    target = _from_root(target, known_as, path)
                    while len(above) > 1:
                        os.close(above.pop())
                if links > MOST_LINKS:
                    raise LeadsOut(errno.ELOOP, "too many links", path)
                waiting = _parts(target) + waiting
            elif waiting:
                above.append(os.open(name, FOLDER, dir_fd=above[-1]))
            else:
                return _plain(name, above[-1])
        raise LeadsOut(errno.EISDIR, "is a folder", path)
    finally:
        for handle in above:
            os.close(handle)


def remove(folder: Path) -> bool:
    """Delete a folder and what is in it, also what was closed to us; whether all of it is gone."""
    try:
        with folder_at(folder.parent) as beside:
            _Removal(beside, folder.name).run()
    except FileNotFoundError:
        return True
    return not os.path.lexists(folder)


class _Removal:
    """Holds a bounded number of folders open: what lies too deep is moved up first."""

    def __init__(self, beside: int, name: str) -> None:
        self._beside = beside
        self._name = name
        self._waiting = [name]
        self._moved = 0

    def run(self) -> None:
        while self._waiting:
            self._remove(self._beside, self._waiting.pop(), depth=0)

    def _remove(self, here: int, name: str, *, depth: int) -> None:
        with suppress(OSError):  # a folder, for one
            os.unlink(name, dir_fd=here)
            return
        with suppress(OSError), _opened_up(here, name) as inside:
            for entry in os.listdir(inside):
                if depth < DEEPEST:
                    self._remove(inside, entry, depth=depth + 1)
                else:
                    self._move_up(inside, entry)
        with suppress(OSError):  # what stays is seen by whoever asked
            os.rmdir(name, dir_fd=here)

    def _move_up(self, here: int, name: str) -> None:
        self._moved += 1
        beside = f"{self._name}.{self._moved}"
        with suppress(OSError):
            os.rename(name, beside, src_dir_fd=here, dst_dir_fd=self._beside)
            self._waiting.append(beside)


@contextmanager
def _opened_up(here: int, name: str) -> Iterator[int]:
    """A folder that can be read and emptied, whatever its mode said."""
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
    try:
        os.chmod(f"/proc/self/fd/{place}", 0o700)
        handle = os.open(".", FOLDER, dir_fd=place)
    finally:
        os.close(place)
    try:
        yield handle
    finally:
        os.close(handle)


def _plain(name: str, folder: int) -> int:
    handle = os.open(name, PLAIN, dir_fd=folder)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "is no plain file", name)


def _from_root(target: str, known_as: Path, path: str) -> str:
    """An absolute link's target, seen from the root folder."""
    inside = Path(os.path.normpath(target))
    if not inside.is_relative_to(known_as):
        raise LeadsOut(errno.ELOOP, "leads out of its folder", path)
    return str(inside.relative_to(known_as))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
