"""The folder of one workload: what daemon, shim, runner and payload leave for one another."""

import fcntl
import hashlib
import json
import logging
import math
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agents.node import files, shim
from agents.node.failures import TAIL_BYTES, Exit, Failed, last_line
from agents.protocol.base import Reason
from agents.protocol.rest import StartAnswer
from agents.protocol.specs import WorkloadSpec
from agents.protocol.workloads import Cause
from agents.telemetry.simulated import is_simulated

log = logging.getLogger(__name__)

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_FAILURE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Process:
    """A process that no other can be mistaken for: its id, and when it started since boot."""

    pid: int
    start_ticks: int

    def is_alive(self) -> bool:
        try:
            fields = shim.stat_fields(self.pid)
        except OSError:
            return False
        return int(fields[19]) == self.start_ticks and fields[0] not in "ZX"


@dataclass(frozen=True)
class Started:
    """``started.json``."""

    boot_id: str
    shim: Process
    payload: Process
    at: float

    def is_alive(self) -> bool:
        return self.boot_id == shim.boot_id() and self.shim.is_alive()


class Workspace:
    """The folder, by names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched = folder / "fetched"
        self.fetched_code = folder / "fetched-code"
        self.inputs = folder / "inputs"
        self.outputs = folder / "outputs"
        self.checkpoints = folder / "checkpoints"
        self.work = folder / "work"
        self.told = folder / "told"  # what runner and replica say of themselves
        self.log = folder / "log"
        self.metrics = folder / "metrics.jsonl"
        self.shim_log = folder / "shim.log"  # empty, unless the shim itself fails

    def create(self) -> None:
        for path in (
            *(self.folder, self.fetched, self.fetched_code, self.inputs),
            *(self.outputs, self.checkpoints, self.work, self.told),
        ):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.metrics.touch(mode=0o600)  # in a box this very file appears, and no other in its place

    def write(self, name: str, content: dict[str, Any]) -> None:
        shim.write_whole(self.folder / name, content)
        (self.folder / name).chmod(0o600)

    def is_locked(self) -> bool:
        """Whether a shim is at work here, or about to be."""
        try:
            file = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def started(self) -> Started | None:
        """What the shim wrote down before the payload's first instruction, if it came so far."""
        found = self._read("started.json")
        if found is None:
            return None
        return Started(
            boot_id=found["boot_id"],
            shim=Process(**found["shim"]),
            payload=Process(**found["payload"]),
            at=found["at"],
        )

    def exit(self) -> tuple[Exit, float] | None:
        """How the payload ended and when, once nothing of it is left."""
        found = self._read("exit.json")
        if found is None:
            return None
        cause = found["stop_cause"]
        ended = Exit(
            exit_code=found["exit_code"],
            stop_cause=Cause(cause) if cause else None,
            oom_kills=found["oom_kills"],
            log_bytes=found["log_bytes"],
            dropped_log_bytes=found["dropped_log_bytes"],
            dropped_tail=found["dropped_tail"],
            box_failed=found.get("box_failed", False),
        )
        return ended, found["at"]

    def failure(self) -> dict[str, Any] | None:
        """What the runner says went wrong; unreadable is unsaid, for a payload can write here."""
        try:
            body = _read_plain(self.told / "failure.json", MAX_FAILURE_BYTES)
            found = json.loads(body)
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def devices(self) -> list[str]:
        """The hardware's own names of the devices that it was given."""
        found = self._read("order.json") or {}
        return [str(uuid) for uuid in found.get("devices", [])]

    def fault(self) -> Failed | None:
        """What the daemon wrote down of a device that failed."""
        found = self._read("fault.json")
        if found is None:
            return None
        failed = Failed(str(found["code"]), cause=Cause.HARDWARE)
        failed.reason = Reason(code=str(found["code"]), params=dict(found["params"]))
        return failed

    def service(self, limit: int) -> bytes | None:
        """What a payload that serves says of itself, unread: a payload can write here."""
        try:
            return _read_plain(self.told / "service.json", limit)
        except OSError:
            return None

    def log_tail(self) -> bytes:
        try:
            return _read_plain(self.log, TAIL_BYTES, from_end=True)
        except OSError:
            return b""

    def shim_said(self) -> str:
        with suppress(OSError):
            return last_line(self.shim_log.read_text("utf-8", "replace"))
        return ""

    def remove(self) -> None:
        """Delete all of it, also folders the payload closed to itself; links are not followed."""
        if not files.remove(self.folder):
            log.warning("%s could not be deleted entirely", self.folder)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.folder / name).read_text("utf-8")))
        except FileNotFoundError:
            return None


def environment(
    workspace: Workspace, spec: WorkloadSpec, answer: StartAnswer, *, url: str
) -> dict[str, str]:
    """The payload's whole environment, built from nothing: the agent's own holds secrets."""
    threads = str(max(1, math.ceil(spec.resources.cpu_millis / 1000)))
    comfort = {
        "PATH": PATH,
        "HOME": str(workspace.work),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "MLFLOW_TRACKING_URI": url,
    }
    place = answer.gang
    contract = {
        "DATAHALL_METRICS_FILE": str(workspace.metrics),
        "DATAHALL_INPUTS": str(workspace.inputs),
        "DATAHALL_OUTPUTS": str(workspace.outputs),
        "DATAHALL_CHECKPOINTS": str(workspace.checkpoints),
        "DATAHALL_URL": url,
        "DATAHALL_TOKEN": answer.run_token,
        "DATAHALL_JOB_NAME": spec.name,
        "DATAHALL_PROJECT": answer.project,
        # a simulated device is none to CUDA: what holds it computes on the CPU
        "CUDA_VISIBLE_DEVICES": ",".join(d for d in answer.devices if not is_simulated(d)),
        "DATAHALL_DEVICES": ",".join(answer.devices),
        "RANK": str(place.rank if place else 0),
        "WORLD_SIZE": str(place.world_size if place else spec.world_size),
        "MASTER_ADDR": place.master_addr if place else "127.0.0.1",
        "MASTER_PORT": str(place.master_port if place else 0),
    }
    asked: Mapping[str, str] = getattr(spec.payload, "env", {})
    return comfort | dict(asked) | answer.secrets | contract


def folder_of(project: str) -> str:
    """A folder's name for what is kept per project, whatever the project is called."""
    return hashlib.sha256(project.encode()).hexdigest()[:16]


def order(
    workspace: Workspace,
    spec: WorkloadSpec,
    *,
    environments: Path,
    env: Mapping[str, str],
    host: str,
    devices: Sequence[str],
) -> dict[str, Any]:
    """``order.json``: what the runner needs to know."""
    return {
        "spec": msgspec.to_builtins(spec),
        "workspace": str(workspace.folder),
        "environments": str(environments),
        "env": dict(env),
        "host": host,
        "devices": list(devices),
    }


def _read_plain(path: Path, limit: int, *, from_end: bool = False) -> bytes:
    """A bounded read of a plain file, through no link and no pipe."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no plain file")
        return os.pread(file, limit, max(0, status.st_size - limit) if from_end else 0)
    finally:
        os.close(file)
