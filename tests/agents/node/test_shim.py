import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.node import shim
from tests.agents.node.waiting import is_alive, wait_for

SHIM = Path(shim.__file__)

IGNORES = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""

# a process that leaves its session and its parent behind, as daemons do
HIDES = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
there, here = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(here, str(os.getpid()).encode())
        time.sleep(600)
    os._exit(0)
print(os.read(there, 100).decode(), flush=True)
os.wait()
"""


class Run:
    """A payload under a real shim."""

    def __init__(self, folder: Path, code: str, *, stopped: bool = False, **spec: Any) -> None:
        self.folder = folder
        folder.mkdir()
        if stopped:
            self.leave_word(0.0, "stopped")
        self.lifeline, theirs = os.pipe()[::-1]
        whole = {
            "argv": [sys.executable, "-c", textwrap.dedent(code)],
            "env": {"PATH": os.defpath, "PYTHONUNBUFFERED": "1", "MARK": "set"},
            "cwd": str(folder),
            "grace_seconds": 10.0,
            "max_log_bytes": 1024**2,
        } | spec
        (folder / "spec.json").write_text(json.dumps(whole))
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(SHIM), str(folder), f"lifeline={theirs}"],
            pass_fds=[theirs],
            start_new_session=True,
        )
        os.close(theirs)

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def payload(self) -> int:
        found = json.loads((self.folder / "started.json").read_text())
        return int(found["payload"]["pid"])

    def says(self, text: str) -> None:
        wait_for(lambda: text in self.log, f"{text!r} in the log")

    def leave_word(self, grace_seconds: float, cause: str) -> None:
        word = {"cause": cause, "grace_seconds": grace_seconds}
        shim.write_whole(self.folder / "stop.json", word)

    def stop(self, grace_seconds: float, cause: str = "stopped") -> None:
        self.leave_word(grace_seconds, cause)
        self.process.send_signal(signal.SIGCONT)

    def ended(self) -> dict[str, Any]:
        assert self.process.wait(30) == 0
        return dict(json.loads((self.folder / "exit.json").read_text()))

    def close(self) -> None:
        os.close(self.lifeline)
        self.process.wait(30)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(code: str, **spec: Any) -> Run:
        runs.append(Run(tmp_path / f"workspace-{len(runs)}", code, **spec))
        return runs[-1]

    yield start
    for one in runs:
        one.close()


class TestExit:
    def test_tells_the_status_and_keeps_the_output(self, run: Callable[..., Run]) -> None:
        one = run("import os, sys; print(os.environ['MARK']); print('oh', file=sys.stderr)")

        ended = one.ended()

        assert (ended["exit_code"], ended["stop_cause"]) == (0, None)
        assert one.log == "set\noh\n"
        assert ended["log_bytes"] == len(one.log)

    @pytest.mark.parametrize("code", [1, 2, 42, 255])
    def test_tells_every_code(self, run: Callable[..., Run], code: int) -> None:
        assert run(f"raise SystemExit({code})").ended()["exit_code"] == code

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
    def test_tells_a_signal_as_a_negative_code(self, run: Callable[..., Run], number: int) -> None:
        ended = run(f"import os; os.kill(os.getpid(), {int(number)})").ended()

        assert ended["exit_code"] == -number
        assert ended["stop_cause"] is None

    def test_says_why_a_payload_cannot_start(self, run: Callable[..., Run]) -> None:
        one = run("", argv=["/nowhere/python"])

        assert one.ended()["exit_code"] == shim.CANNOT_EXECUTE
        assert "cannot start" in one.log

    def test_kills_what_the_payload_left_behind(self, run: Callable[..., Run]) -> None:
        one = run(HIDES + "raise SystemExit(3)")

        ended = one.ended()

        assert (ended["exit_code"], ended["survivors"]) == (3, 0)
        assert not is_alive(int(one.log))


class TestStart:
    def test_names_processes_so_that_no_other_is_taken_for_them(
        self, run: Callable[..., Run]
    ) -> None:
        one = run("print('here', flush=True); import time; time.sleep(600)")
        one.says("here")

        started = json.loads((one.folder / "started.json").read_text())

        assert started["shim"]["pid"] == one.process.pid
        assert started["boot_id"] == shim.boot_id()
        assert started["payload"]["start_ticks"] == shim.start_ticks(one.payload)
        assert os.getsid(one.payload) == one.payload
        one.stop(0)

    def test_a_second_shim_in_a_workspace_runs_nothing(self, run: Callable[..., Run]) -> None:
        one = run("print('once')")
        one.ended()

        again = subprocess.run([sys.executable, "-I", str(SHIM), str(one.folder)], check=False)

        assert again.returncode == shim.RAN_BEFORE
        assert one.log == "once\n"

    def test_the_payload_inherits_nothing(self, run: Callable[..., Run]) -> None:
        one = run("import os; print(sorted(os.listdir('/proc/self/fd')))")

        one.ended()

        assert one.log == "['0', '1', '2', '3']\n"  # the third is the listing itself

    def test_the_payload_takes_signals_as_any_process_does(self, run: Callable[..., Run]) -> None:
        one = run(
            """
            import signal
            numbers = [signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGCONT]
            print([signal.getsignal(n) == signal.SIG_DFL for n in numbers])
            """
        )

        one.ended()

        assert one.log == "[True, True, True, True]\n"


class TestStop:
    def test_lets_the_payload_end_by_itself(self, run: Callable[..., Run]) -> None:
        one = run(
            """
            import signal, sys, time
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
            print("ready", flush=True)
            time.sleep(600)
            """
        )
        one.says("ready")

        one.stop(60)

        ended = one.ended()
        assert (ended["exit_code"], ended["stop_cause"], ended["killed"]) == (7, "stopped", False)

    def test_kills_who_does_not_listen(self, run: Callable[..., Run]) -> None:
        one = run(IGNORES)
        one.says("deaf")

        one.stop(0.1)

        ended = one.ended()
        assert (ended["exit_code"], ended["killed"]) == (-signal.SIGKILL, True)

    def test_reaches_who_fled_its_session(self, run: Callable[..., Run]) -> None:
        one = run(HIDES + "print('parent', flush=True); time.sleep(600)")
        one.says("parent")

        one.stop(0.1)

        one.ended()
        assert not is_alive(int(one.log.split()[0]))

    def test_asked_again_it_is_only_shorter(self, run: Callable[..., Run]) -> None:
        one = run("""
            import signal, time
            signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
            print("there", flush=True)
            while True: time.sleep(1)
        """)
        one.says("there")

        one.stop(600)
        one.says("asked")  # the first word was read before the second takes its place
        one.stop(0.1, cause="interrupted")

        assert one.ended()["stop_cause"] == "stopped"

    def test_asked_before_the_start_it_ends_at_once(self, run: Callable[..., Run]) -> None:
        one = run("import time; time.sleep(600)", stopped=True)

        assert one.ended()["stop_cause"] == "stopped"

    def test_wakes_a_payload_that_was_suspended(self, run: Callable[..., Run]) -> None:
        one = run("import time; print('up', flush=True); time.sleep(600)")
        one.says("up")
        os.kill(one.payload, signal.SIGSTOP)

        one.stop(60)

        assert one.ended()["exit_code"] == -signal.SIGTERM


class TestLifeline:
    def test_its_end_ends_the_payload(self, run: Callable[..., Run]) -> None:
        one = run("import time; print('up', flush=True); time.sleep(600)")
        one.says("up")

        os.close(one.lifeline)
        one.lifeline = os.open(os.devnull, os.O_RDONLY)

        ended = one.ended()
        assert (ended["stop_cause"], ended["exit_code"]) == ("interrupted", -signal.SIGTERM)

    def test_the_payload_dies_with_its_shim(self, run: Callable[..., Run]) -> None:
        one = run(IGNORES)
        one.says("deaf")
        payload = one.payload

        one.process.kill()

        wait_for(lambda: not is_alive(payload), "the payload to die")
        assert not (one.folder / "exit.json").exists()


class TestLog:
    def test_grows_to_its_limit_and_counts_the_rest(self, run: Callable[..., Run]) -> None:
        one = run("import sys; sys.stdout.write('x' * 300_000)", max_log_bytes=1000)

        ended = one.ended()

        assert one.log == "x" * 1000
        assert (ended["log_bytes"], ended["dropped_log_bytes"]) == (1000, 299_000)

    def test_keeps_the_last_words_of_what_it_drops(self, run: Callable[..., Run]) -> None:
        one = run("print('x' * 9000); print('Error: at last')", max_log_bytes=10)

        assert one.ended()["dropped_tail"].endswith("x\nError: at last\n")

    def test_keeps_bytes_as_they_are(self, run: Callable[..., Run]) -> None:
        one = run("import os; os.write(1, bytes(range(256)) * 1000)")

        one.ended()

        assert (one.folder / "log").read_bytes() == bytes(range(256)) * 1000

    def test_a_full_disk_does_not_hide_the_end(self, tmp_path: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("mounting a small disk takes root")
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
            check=False,
            capture_output=True,
        )
        if mounted.returncode:
            pytest.skip("mounting is not allowed here")
        try:
            one = Run(disk / "workspace", "print('x' * 3_000_000)", max_log_bytes=10**9)
            ended = one.ended()
            one.close()
        finally:
            subprocess.run(["umount", str(disk)], check=True)

        assert ended["exit_code"] == 0
        assert ended["log_bytes"] + ended["dropped_log_bytes"] == 3_000_001
