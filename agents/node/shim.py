"""The supervising process of one workload: ``python -I <this file> <workspace> [name=fd ...]``.

Standard library only, and started by path: whatever happens to the agent, its packages or its next
version, this process goes on. It owns the payload, the payload's output and its exit status, and
tells of them by files that appear whole or not at all:

``spec.json``     what to run (the daemon's)
``started.json``  the payload's first instruction comes after this file is durable
``stop.json``     asked to stop (the daemon's); SIGCONT is the wake: harmless to who does not listen
``exit.json``     how it ended; written once nothing of the payload is left

A payload may run in a box (``isolation.py``): then it is bubblewrap that is forked here, and the
spec's ``argv`` begins with it. SIGTERM goes past it to the payload's group; SIGKILL to it ends
everything inside.

Two pipes may be inherited: ``started`` hears of the start, ``lifeline`` ends the payload when its
other end is gone.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

WAKE = signal.SIGCONT
READ_BYTES = 64 * 1024
TAIL_BYTES = 4096
PIPE_BYTES = 1024 * 1024
RESERVED_BYTES = 64 * 1024  # given back when the disk is full, so that the end can be told
LIFELINE_GRACE_SECONDS = 5.0
KILL_SECONDS = 10.0  # until a process that does not die is called unkillable
DRAIN_SECONDS = 2.0  # for output whose writers are dead

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

STATUS_FILE = 100  # where bubblewrap is told to write how it gets on, one JSON a line
SECCOMP_FILE = 101  # the rules it is told to load
MOST_STATUS_BYTES = 64 * 1024
LOOK_INSIDE_SECONDS = 0.02  # until a box that is being built has something in it to stop

RAN_BEFORE = 75  # exit status of a second shim in one workspace
CANNOT_EXECUTE = 127

libc = ctypes.CDLL(None, use_errno=True)


def main(workspace: Path, inherited: dict[str, int]) -> int:
    """Run the payload of a workspace, once in the workspace's life."""
    os.umask(0o077)
    for file in inherited.values():
        os.set_inheritable(file, False)
    lock = os.open(workspace / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until we are gone
    except BlockingIOError:
        return RAN_BEFORE
    if (workspace / "started.json").exists():
        return RAN_BEFORE
    Shim(workspace, json.loads((workspace / "spec.json").read_text("utf-8")), **inherited).run()
    return 0


class Shim:
    """One payload, from fork to ``exit.json``."""

    def __init__(
        self,
        workspace: Path,
        spec: dict[str, Any],
        *,
        started: int | None = None,
        lifeline: int | None = None,
    ) -> None:
        self._workspace = workspace
        self._spec = spec
        self._started = started
        self._lifeline = lifeline
        self._payload = 0
        self._status: int | None = None  # as waitpid gives it
        self._max_rss_bytes = 0
        self._stop_cause: str | None = None
        self._stop_deadline: float | None = None
        self._killed = False
        self._survivors = 0
        self._inner = 0  # in a box: its first process, whose group is the payload's
        self._inner_code: int | None = None  # in a box: how it ended, if it came to be
        self._box_status = b""
        self._terminate_at: float | None = None  # in a box: there was nothing yet to be stopped
        self._log_bytes = 0
        self._dropped_bytes = 0
        self._dropped_tail = b""  # the last words are worth keeping, whatever came before
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        reserve(self._workspace / "reserve", RESERVED_BYTES)
        oom_kills = oom_kills_so_far()
        self._listen()
        self._open_log()
        self._start()
        self._look_for_stop()  # it may have been asked before we listened

        while self._status is None:
            self._turn(self._until_deadline())
        self._end_descendants()
        self._drain()
        self._tell_exit(oom_kills_so_far() - oom_kills)

    # --- beginning --------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Signals become bytes in a pipe, so that one `select` waits for everything."""
        self._signals, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (WAKE, signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._selector.register(self._signals, selectors.EVENT_READ, self._on_signals)
        if self._lifeline is not None:
            os.set_blocking(self._lifeline, False)
            self._selector.register(self._lifeline, selectors.EVENT_READ, self._on_lifeline)

    def _open_log(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._log = os.open(self._workspace / "log", flags, 0o600)

    def _start(self) -> None:
        """Fork the payload and let it go once ``started.json`` is on the disk."""
        self._output, output = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # a bigger pipe is a courtesy of the kernel
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._output, False)
        self._selector.register(self._output, selectors.EVENT_READ, self._on_output)
        self._status_pipe, status = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._status_pipe, False)
        self._selector.register(self._status_pipe, selectors.EVENT_READ, self._on_box_status)
        gate, go = os.pipe2(os.O_CLOEXEC)
        shim = os.getpid()
        self._payload = os.fork()
        if self._payload == 0:
            become_payload(self._spec, shim=shim, output=output, gate=gate, status=status)
        for file in (output, status, gate):
            os.close(file)
        self._write_whole(
            "started.json",
            {
                "boot_id": boot_id(),
                "shim": {"pid": shim, "start_ticks": start_ticks(shim)},
                "payload": {"pid": self._payload, "start_ticks": start_ticks(self._payload)},
                "at": time.time(),
            },
        )
        os.write(go, b"1")
        os.close(go)
        if self._started is not None:
            with contextlib.suppress(OSError):  # the daemon may be gone: the file tells it too
                os.write(self._started, b"1")
            os.close(self._started)

    # --- life -------------------------------------------------------------------------------------

    def _turn(self, timeout: float | None) -> None:
        """Wait for whatever comes next, and see to it."""
        for key, _ in self._selector.select(timeout):
            key.data()
        if self._status is not None:
            return
        now = time.monotonic()
        if self._terminate_at is not None and now >= self._terminate_at:
            self._terminate()
        if self._stop_deadline is not None and now >= self._stop_deadline:
            self._killed = True
            self._kill(self._payload)  # its descendants follow at once
            self._stop_deadline = self._terminate_at = None

    def _until_deadline(self) -> float | None:
        ahead = [at for at in (self._stop_deadline, self._terminate_at) if at is not None]
        return max(0.0, min(ahead) - time.monotonic()) if ahead else None

    def _on_signals(self) -> None:
        got = os.read(self._signals, 4096)
        if signal.SIGTERM in got:  # the host is being shut down
            self._stop("interrupted", self._spec["grace_seconds"])
        self._look_for_stop()
        self._reap()

    def _on_lifeline(self) -> None:
        assert self._lifeline is not None
        with contextlib.suppress(BlockingIOError):
            if not os.read(self._lifeline, 4096):
                self._selector.unregister(self._lifeline)
                grace = min(LIFELINE_GRACE_SECONDS, self._spec["grace_seconds"])
                self._stop("interrupted", grace)

    def _on_output(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._output, READ_BYTES)
            if data:
                self._keep(data)
            else:
                self._selector.unregister(self._output)

    def _keep(self, data: bytes) -> None:
        """Into the log as far as it may grow; the rest is counted. The payload never waits."""
        room = max(0, int(self._spec["max_log_bytes"]) - self._log_bytes)
        kept = 0
        try:
            while kept < min(room, len(data)):
                kept += os.write(self._log, data[kept:room])
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
                raise
        self._log_bytes += kept
        dropped = data[kept:]
        self._dropped_bytes += len(dropped)
        self._dropped_tail = (self._dropped_tail + dropped)[-TAIL_BYTES:]

    def _look_for_stop(self) -> None:
        try:
            asked = json.loads((self._workspace / "stop.json").read_text("utf-8"))
        except FileNotFoundError:
            return
        self._stop(asked["cause"], float(asked["grace_seconds"]))

    def _stop(self, cause: str, grace_seconds: float) -> None:
        """SIGTERM to the group now, SIGKILL after the grace. Asked again, it only shortens."""
        if self._status is not None or self._killed:
            return
        deadline = time.monotonic() + max(0.0, grace_seconds)
        if self._stop_cause is None:
            self._stop_cause = cause
            self._stop_deadline = deadline
            self._terminate()
        elif self._stop_deadline is not None:
            self._stop_deadline = min(self._stop_deadline, deadline)

    def _terminate(self) -> None:
        """SIGTERM to the payload's group. A box that is still empty is looked into again."""
        self._terminate_at = None
        group = self._payload
        if self._is_boxed:
            group = self._inner
            if not group or next(descendants(group), None) is None:
                self._terminate_at = time.monotonic() + LOOK_INSIDE_SECONDS
                return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)  # a box's first process takes no notice of it
            os.killpg(group, signal.SIGCONT)

    @property
    def _is_boxed(self) -> bool:
        return bool(self._spec.get("box"))

    def _on_box_status(self) -> None:
        """What bubblewrap says: its first process once it is there, and how the payload ended."""
        if self._status_pipe not in self._selector.get_map():
            return
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._status_pipe, READ_BYTES)
            self._box_status += data
            if not data or len(self._box_status) > MOST_STATUS_BYTES:
                self._selector.unregister(self._status_pipe)
        for line in self._box_status.splitlines():
            with contextlib.suppress(ValueError):  # the rest of it is on its way
                told = json.loads(line)
                self._inner = told.get("child-pid", self._inner)
                self._inner_code = told.get("exit-code", self._inner_code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._payload:
                self._status = status
            self._max_rss_bytes = max(self._max_rss_bytes, usage.ru_maxrss * 1024)

    # --- end --------------------------------------------------------------------------------------

    def _end_descendants(self) -> None:
        """Kill what the payload left behind, whatever session it fled to: we are its subreaper."""
        deadline = time.monotonic() + KILL_SECONDS
        while True:
            self._reap()
            left = list(descendants(os.getpid()))
            if not left:
                return
            if time.monotonic() > deadline:
                self._survivors = len(left)
                return
            for pid in left:
                self._kill(pid)
            self._turn(0.02)  # a SIGCHLD ends the wait sooner

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._output in self._selector.get_map() and time.monotonic() < deadline:
            self._turn(deadline - time.monotonic())

    def _exit_code(self) -> int:
        """Negative: a signal. A box says it as shells do, 128 and its number."""
        assert self._status is not None
        code = os.waitstatus_to_exitcode(self._status)
        if self._is_boxed and code - 128 in signal.valid_signals():
            return 128 - code
        return code

    def _tell_exit(self, oom_kills: int) -> None:
        with contextlib.suppress(OSError):  # what could not be synced is on its way all the same
            os.fsync(self._log)
        self._on_box_status()
        code = self._exit_code()
        self._write_whole(
            "exit.json",
            {
                "exit_code": code,
                # bubblewrap could not build it: it ended by itself, and nothing ran
                "box_failed": self._is_boxed and code > 0 and self._inner_code is None,
                "at": time.time(),
                "log_bytes": self._log_bytes,
                "dropped_log_bytes": self._dropped_bytes,
                "dropped_tail": self._dropped_tail.decode("utf-8", "replace"),
                "stop_cause": self._stop_cause,
                "killed": self._killed,
                "oom_kills": oom_kills,
                "max_rss_bytes": self._max_rss_bytes,
                "survivors": self._survivors,
            },
        )

    def _write_whole(self, name: str, content: dict[str, Any]) -> None:
        """Durable and whole, even on a full disk: the reserve is given up for it."""
        try:
            write_whole(self._workspace / name, content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            (self._workspace / "reserve").unlink(missing_ok=True)
            write_whole(self._workspace / name, content)


def become_payload(
    spec: dict[str, Any], *, shim: int, output: int, gate: int, status: int
) -> NoReturn:
    """In the child: a session of its own, nothing of ours inherited, dead when the shim is dead."""
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != shim:
            os._exit(CANNOT_EXECUTE)
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError):  # the C library keeps two for itself
                signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        with contextlib.suppress(OSError):  # under memory pressure the payload goes first
            Path("/proc/self/oom_score_adj").write_text("500")
        for group in spec.get("cgroups", ()):
            Path(group, "cgroup.procs").write_text("0")
        if box := spec.get("box"):
            os.dup2(status, STATUS_FILE)
            if box["seccomp"]:
                os.dup2(os.open(box["seccomp"], os.O_RDONLY), SECCOMP_FILE)
        if os.read(gate, 1) != b"1":
            os._exit(CANNOT_EXECUTE)
        os.umask(0o022)
        os.chdir(spec["cwd"])
        os.execve(spec["argv"][0], spec["argv"], spec["env"])
    except BaseException as error:  # noqa: BLE001 - nobody above us may go on in this process
        os.write(2, f"datahall: the payload cannot start: {error}\n".encode())
    os._exit(CANNOT_EXECUTE)


def descendants(root: int) -> Iterator[int]:
    """Every process below this one, from one look at /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # gone since
                parent = int(stat_fields(int(entry.name))[1])
                children.setdefault(parent, []).append(int(entry.name))
    waiting = children.get(root, [])
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting.extend(children.get(pid, []))


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: the name before may hold anything."""
    text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    return text[text.rindex(")") + 2 :].split()


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot: with the boot id it names it for ever."""
    return int(stat_fields(pid)[19])


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def oom_kills_so_far() -> int:
    """How many processes of this host the kernel has killed for memory; a hint, not a proof."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text("ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def reserve(path: Path, size: int) -> None:
    with contextlib.suppress(OSError):  # no reserve is no reason not to run
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Write JSON so that the file is there entirely or not at all, also after a power cut."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[2:])
    sys.exit(main(Path(sys.argv[1]), {name: int(file) for name, file in pairs}))
