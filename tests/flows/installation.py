"""`datahall up` as a process, for tests that need the whole thing."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from controlplane.cli.embedded.service import dies_with_parent

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
STOP_SECONDS = 60.0


class Up:
    """One run of `datahall up` on a state folder."""

    def __init__(self, state: Path, port: int, *options: str, shared: Path | None = None) -> None:
        """Payloads may write into ``shared``, besides where every payload may."""
        self.state = state
        env = {name: value for name, value in os.environ.items() if name != "DATAHALL_STATE"}
        if shared is not None:
            env["DATAHALL_SHARES"] = f"{shared}:rw"
        self.output = state.with_name(f"{state.name}.out")
        self._known: dict[int, psutil.Process] = {}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "controlplane.cli", "up", "--no-open"),
                    *("--state", str(state), "--port", str(port), *options),
                ],
                cwd=ROOT,
                env=env,
                stdout=output,
                stderr=output,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )

    def wait_until_ready(self) -> dict[str, Any]:
        """What the ready file says, as soon as this run has written it."""
        return until(self._ready, START_SECONDS)

    def _ready(self) -> dict[str, Any] | None:
        assert self.process.poll() is None, self.output.read_text()[-4000:]
        try:
            ready: dict[str, Any] = json.loads((self.state / "ready.json").read_text())
        except FileNotFoundError:
            return None
        return ready if ready["pid"] == self.process.pid else None

    def service(self, words: str) -> psutil.Process:
        """The one child whose command line has these words."""
        (found,) = [p for p in self.children() if words in " ".join(p.cmdline())]
        return found

    def children(self) -> list[psutil.Process]:
        """Our own children; all descendants are remembered for `left`."""
        parent = psutil.Process(self.process.pid)
        for each in parent.children(recursive=True):
            self._known.setdefault(each.pid, each)
        return parent.children()

    def left(self) -> list[psutil.Process]:
        """Which of the processes we have seen still run."""
        return [
            each
            for each in self._known.values()
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE
        ]

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop and wait; its exit code."""
        if self.process.poll() is None:
            self.children()
            self.process.send_signal(by)
        return self.process.wait(STOP_SECONDS)


def payloads(state: Path) -> set[int]:
    """The processes of all payloads of an installation, as this machine numbers them."""
    mark = f"DATAHALL_METRICS_FILE={state}/".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone since
            if mark in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found


def api(ready: dict[str, Any]) -> httpx.Client:
    """The REST API as the operator."""
    return httpx.Client(
        base_url=f"{ready['url']}/api/v1",
        headers={"Authorization": f"Bearer {ready['token']}"},
        timeout=30,
    )


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for a condition to hold; what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return found
