"""Memory and processes of a workload, held by the kernel where its control groups are ours to make.

Both hierarchies are known: version 1, one folder per controller, and version 2, where a group may
have groups below it only if it was delegated to us (systemd: ``Delegate=yes`` and
``DelegateSubgroup=``) or is the root.
"""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

log = logging.getLogger(__name__)

ROOT = Path("/sys/fs/cgroup")
MEMORY, PROCESSES = "memory", "processes"


@dataclass(frozen=True)
class Hierarchy:
    """Where groups are made, and the files that hold their limits, by what is limited."""

    folder: Path
    files: dict[str, str]

    def limit(self, what: str, group: Path, value: int) -> None:
        if name := self.files.get(what):
            (group / name).write_text(str(value))


@dataclass(frozen=True)
class Limits:
    """Makes and removes the groups of workloads; without hierarchies it holds nothing."""

    hierarchies: tuple[Hierarchy, ...] = ()

    @property
    def held(self) -> list[str]:
        return sorted({what for one in self.hierarchies for what in one.files})

    def make(self, workload: UUID, *, memory_bytes: int, processes: int) -> list[Path]:
        """The groups that the payload is to enter by itself."""
        groups = self._groups(workload)
        for hierarchy, group in zip(self.hierarchies, groups, strict=True):
            group.mkdir(exist_ok=True)
            hierarchy.limit(MEMORY, group, memory_bytes)
            hierarchy.limit(PROCESSES, group, processes)
        return groups

    def remove(self, workload: UUID) -> None:
        for group in self._groups(workload):
            with suppress(FileNotFoundError):
                try:
                    group.rmdir()
                except OSError as error:  # somebody is left in it, and the kernel keeps it
                    log.warning("control group %s stays: %s", group, error)

    def _groups(self, workload: UUID) -> list[Path]:
        return [one.folder / f"datahall-{workload}" for one in self.hierarchies]


def look_around(root: Path = ROOT, own: Path = Path("/proc/self/cgroup")) -> Limits:
    """What can be held here, tried by making a group and taking it away again."""
    try:
        lines = own.read_text("utf-8").splitlines()
    except OSError:
        return Limits()
    at: dict[str, str] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        at |= dict.fromkeys(controllers.split(","), path)
    ones = (
        Hierarchy(_below(root / "memory", at.get("memory")), {MEMORY: "memory.limit_in_bytes"}),
        Hierarchy(_below(root / "pids", at.get("pids")), {PROCESSES: "pids.max"}),
    )
    usable = tuple(one for one in ones if _works(one))
    if not usable and "" in at:
        usable = tuple(_version_two(root, at[""]))
    return Limits(usable)


def _version_two(root: Path, path: str) -> Iterable[Hierarchy]:
    own = _below(root, path)
    folder = own if path == "/" else own.parent if _is_delegated(own.parent) else None
    if folder is None:
        return
    with suppress(OSError):
        (folder / "cgroup.subtree_control").write_text("+memory +pids")
    one = Hierarchy(folder, {MEMORY: "memory.max", PROCESSES: "pids.max"})
    if _works(one):
        yield one


def _is_delegated(folder: Path) -> bool:
    for name in ("trusted.delegate", "user.delegate"):
        with suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False


def _below(root: Path, path: str | None) -> Path:
    """A group's folder; in a container its path may be one that is seen only from outside."""
    inside = root / (path or "/").lstrip("/")
    return inside if inside.is_dir() else root


def _works(one: Hierarchy) -> bool:
    group = one.folder / f"datahall-try-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return False
    try:
        return all(os.access(group / name, os.W_OK) for name in one.files.values())
    finally:
        group.rmdir()
