"""A child process that must not outlive us: what to run, as whom, and when it is ready."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class EmbeddedError(Exception):
    """An embedded server cannot run here; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """One long-running process of the installation."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ready: Callable[[], bool] | None = None
    says_ready: str = ""  # instead of asking: words of its output that tell that it is
    cwd: Path = Path("/")
    become: Callable[[], None] | None = None  # runs in the child: change of user
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what the kernel sends when we are gone
    stop_seconds: float = 10.0
    start_seconds: float = 60.0
    inherit: tuple[int, ...] = field(default=())  # file descriptors

    def entering(self) -> Callable[[], None]:
        """What the child does between fork and exec."""
        die = dies_with_parent(self.death_signal)

        def enter() -> None:
            if self.become is not None:
                self.become()
            die()  # after a change of user, which would clear it

        return enter


def dies_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A step for a child: be sent this signal when the parent ends, however it ends (Linux)."""
    parent = os.getpid()

    def enter() -> None:
        if hasattr(_libc, "prctl"):
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # it ended before the kernel was told
                os._exit(1)

    return enter


@contextmanager
def running(service: Service, *, log: Path) -> Iterator[None]:
    """Run a service as long as the block lasts; it is ready when the block begins."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            service.argv,
            env=dict(service.env),
            cwd=service.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=service.entering(),
        )
    try:
        _wait_until_ready(service, process, log)
        yield
    finally:
        process.send_signal(service.stop_signal)
        try:
            process.wait(service.stop_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(service: Service, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + service.start_seconds
    assert service.ready is not None
    while not service.ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:]
            raise EmbeddedError(f"{service.name} did not start:\n{tail}")
        time.sleep(0.02)
