"""The supervisor on real processes: order, readiness, restarts, and nothing left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from controlplane.cli.embedded import supervisor as supervisor_module
from controlplane.cli.embedded.service import EmbeddedError, Service
from controlplane.cli.embedded.supervisor import Supervisor

# in one write, so that two processes do not tear each other's line
LIVES = "import os, signal; os.write(1, b'pid %d\\n' % os.getpid()); signal.pause()"


class Heard:
    """What the services said, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._more = asyncio.Event()

    def tell(self, service: str, line: str) -> None:
        self.lines.append((service, line))
        self._more.set()

    async def pid(self, number: int = 0) -> int:
        """The process id that the nth started process told."""
        async with asyncio.timeout(20):
            while (
                len(pids := [line for _, line in self.lines if line.startswith("pid ")]) <= number
            ):
                self._more.clear()
                await self._more.wait()
        return int(pids[number].split()[1])


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
async def supervisor(heard: Heard) -> AsyncIterator[Supervisor]:
    made = Supervisor(tell=heard.tell)
    yield made
    await made.stop()


def service(script: str, *, name: str = "one", **more) -> Service:
    return Service(name=name, argv=(sys.executable, "-c", script), env=dict(os.environ), **more)


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)


class TestStart:
    async def test_returns_when_the_service_is_ready(self, supervisor, tmp_path):
        mark = tmp_path / "mark"

        await supervisor.start(
            service(f"open({str(mark)!r}, 'w'); {LIVES}", ready=mark.exists),
        )

        assert mark.exists()

    async def test_takes_the_services_word_for_it(self, supervisor, heard):
        await supervisor.start(service(f"print('one is ready.'); {LIVES}", says_ready=" ready."))

        assert ("one", "one is ready.") in heard.lines

    async def test_gives_up_on_what_ends_again_and_again(self, supervisor, heard):
        with pytest.raises(EmbeddedError, match="one does not start"):
            await supervisor.start(service("raise SystemExit('no way')", ready=lambda: False))

        assert ("one", "no way") in heard.lines

    async def test_gives_up_on_what_never_gets_ready(self, supervisor):
        with pytest.raises(EmbeddedError, match="not ready after 1 seconds"):
            await supervisor.start(service(LIVES, ready=lambda: False, start_seconds=1.0))

    async def test_says_what_cannot_be_run_at_all(self, supervisor, heard):
        with pytest.raises(EmbeddedError, match="one does not start"):
            await supervisor.start(Service(name="one", argv=("/does/not/exist",), env={}))

        assert "No such file or directory: '/does/not/exist'" in heard.lines[0][1]


class TestKeeping:
    async def test_starts_again_what_was_killed(self, supervisor, heard):
        await supervisor.start(service(LIVES))
        os.kill(await heard.pid(0), signal.SIGKILL)

        assert psutil.pid_exists(await heard.pid(1))
        assert ("one", "ended with SIGKILL, starts again in 0.2 s") in heard.lines

    async def test_clears_away_what_a_killed_service_had_forked(self, supervisor, heard):
        await supervisor.start(service(f"import os; child = os.fork()\n{LIVES}"))
        first, second = await heard.pid(0), await heard.pid(1)

        os.kill(min(first, second), signal.SIGKILL)

        await gone(max(first, second))
        await heard.pid(2)

    async def test_passes_on_lines_without_end(self, supervisor, heard):
        size = 5 * supervisor_module.LONGEST_LINE
        await supervisor.start(service(f"print('x' * {size}); {LIVES}"))
        await heard.pid()

        assert sum(line.count("x") for _, line in heard.lines) == size


class TestStop:
    async def test_stops_in_reverse_order(self, heard):
        supervisor = Supervisor(tell=heard.tell)
        for name in ("first", "second"):
            script = (
                "import signal, sys\n"
                "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye', flush=True)))\n"
                f"print('ready'); {LIVES}"
            )
            await supervisor.start(service(script, name=name, says_ready="ready"))

        await supervisor.stop()

        assert [name for name, line in heard.lines if line == "bye"] == ["second", "first"]

    async def test_kills_what_does_not_listen(self, heard):
        supervisor = Supervisor(tell=heard.tell)
        deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LIVES}"
        await supervisor.start(service(deaf, says_ready="pid", stop_seconds=0.2))

        await supervisor.stop()

        assert not psutil.pid_exists(await heard.pid())
        assert ("one", "did not stop in time and is killed") in heard.lines

    async def test_does_not_wait_for_the_next_try(self, heard, monkeypatch):
        monkeypatch.setattr(supervisor_module, "SHORTEST_PAUSE_SECONDS", 3600)
        supervisor = Supervisor(tell=heard.tell)
        await supervisor.start(service(LIVES))
        os.kill(await heard.pid(), signal.SIGKILL)

        async with asyncio.timeout(20):
            await supervisor.stop()


class TestRun:
    async def test_gives_what_was_written_and_passes_on_the_rest(self, supervisor, heard):
        script = "import sys; print('answer'); print('aside', file=sys.stderr)"

        output = await supervisor.run("once", (sys.executable, "-c", script), env={}, cwd=Path("/"))

        assert output == "answer\n"
        assert heard.lines == [("once", "aside")]

    async def test_raises_when_it_fails(self, supervisor):
        with pytest.raises(EmbeddedError, match="once failed"):
            await supervisor.run(
                "once", (sys.executable, "-c", "raise SystemExit(3)"), env={}, cwd=Path("/")
            )
