"""Whose a process is: a workload's of ours, or a stranger's."""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import msgspec

from agents.protocol.link import DeviceProcess

MOST_PROCESSES = 256  # told at once; those with the most memory
LONGEST_NAME = 64

_MARK = b"DATAHALL_METRICS_FILE="  # every payload inherits it: a file in its workload's folder


class Owners:
    """Tells processes of workloads, whose folders lie in one, from all others."""

    def __init__(self, workloads: Path) -> None:
        self._workloads = workloads

    def named(self, processes: Iterable[DeviceProcess]) -> list[DeviceProcess]:
        """The processes with their names, and whose they are."""
        most = sorted(processes, key=lambda one: -(one.memory_used_bytes or 0))[:MOST_PROCESSES]
        return [
            msgspec.structs.replace(
                one, name=_name_of(one.pid), workload=self._workload_of(one.pid)
            )
            for one in most
        ]

    def _workload_of(self, pid: int) -> UUID | None:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # gone, or another user's: none of ours
            return None
        for entry in environment.split(b"\0"):
            if entry.startswith(_MARK):
                folder = Path(entry.removeprefix(_MARK).decode("utf-8", "replace")).parent
                return _uuid(folder.name) if folder.parent == self._workloads else None
        return None


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()[:LONGEST_NAME]
    except OSError:
        return ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
