"""Keeps services running: starts them in order, restarts what ends, stops them in reverse."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from controlplane.cli.embedded.service import EmbeddedError, Service

ATTEMPTS = 4  # to come up at all
SHORTEST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 20.0  # having run that long, a service starts again without a longer pause
POLL_SECONDS = 0.05
LONGEST_LINE = 16 * 1024


class Supervisor:
    """Owns the processes it started: each in a session of its own, none outlives it.

    `tell(service, line)` gets every line that a service writes, and what we have to say of it.
    """

    def __init__(self, *, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._kept: list[_Kept] = []

    async def start(self, service: Service) -> None:
        """Start a service and return when it is ready; from then on it is kept running."""
        kept = _Kept(service, self._tell)
        self._kept.append(kept)
        try:
            await asyncio.wait_for(kept.ready(), service.start_seconds)
        except TimeoutError:
            raise EmbeddedError(
                f"{service.name} was not ready after {service.start_seconds:.0f} seconds"
            ) from None

    async def run(
        self, name: str, argv: tuple[str, ...], *, env: Mapping[str, str], cwd: Path
    ) -> str:
        """Run a program to its end; what it wrote to its standard output."""
        task = Service(name=name, argv=argv, env=env, cwd=cwd)
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(env),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=task.entering(),
        )
        try:
            output, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        for line in errors.decode(errors="replace").splitlines():
            self._tell(name, line)
        if process.returncode != 0:
            for line in output.decode(errors="replace").splitlines():
                self._tell(name, line)
            raise EmbeddedError(f"{name} failed; its output is above")
        return output.decode(errors="replace")

    async def stop(self) -> None:
        """Stop everything, the last started first; each gets its time, then SIGKILL."""
        while self._kept:
            await self._kept.pop().stop()

    def kill(self) -> None:
        """End everything at once."""
        for kept in self._kept:
            kept.kill()


class _Kept:
    """One service, its process of the moment, and the task that starts the next one."""

    def __init__(self, service: Service, tell: Callable[[str, str], None]) -> None:
        self._service = service
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._said_ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep(), name=service.name)
        self._ends = 0

    async def ready(self) -> None:
        while not await self._is_ready():
            if self._ends >= ATTEMPTS:
                raise EmbeddedError(f"{self._service.name} does not start; its output is above")
            if self._keeping.done():
                await self._keeping  # raises why
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        self._stopping.set()
        self._signal(self._service.stop_signal)
        done, _ = await asyncio.wait([self._keeping], timeout=self._service.stop_seconds)
        if not done:
            self._tell(self._service.name, "did not stop in time and is killed")
            self.kill()
        await self._keeping

    def kill(self) -> None:
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def _is_ready(self) -> bool:
        if self._process is None:
            return False
        if self._service.says_ready:
            return self._said_ready.is_set()
        if self._service.ready is not None:
            return await asyncio.to_thread(self._service.ready)
        return True

    async def _keep(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            try:
                end = _exit(await self._run_once())
            except (OSError, subprocess.SubprocessError) as error:
                end = str(error)
            if self._stopping.is_set():
                return
            self._ends += 1
            if loop.time() - started > STEADY_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            self._tell(self._service.name, f"ended with {end}, starts again in {pause} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run_once(self) -> int:
        """Start the process, pass on what it says, and return how it ended."""
        # a pipe of our own: asyncio's would keep wait() waiting while any grandchild has it open
        reading, writing = os.pipe()
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._service.argv,
                env=dict(self._service.env),
                cwd=self._service.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=self._service.inherit,
                start_new_session=True,
                preexec_fn=self._service.entering(),
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        if self._stopping.is_set():  # asked between the decision to start and the start
            self._signal(self._service.stop_signal)
        listening = asyncio.create_task(self._listen(reading))
        try:
            code = await process.wait()
        finally:
            self._process = None
            _kill_group(process.pid)  # what it forked and left behind
            await asyncio.wait([listening], timeout=1.0)
            listening.cancel()
        return code

    async def _listen(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            rest = b""
            while chunk := await reader.read(LONGEST_LINE):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._hear(line)
            if rest:
                self._hear(rest)
        finally:
            transport.close()

    def _hear(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if self._service.says_ready and self._service.says_ready in text:
            self._said_ready.set()
        self._tell(self._service.name, text)

    def _signal(self, wanted: signal.Signals) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        if wanted == signal.SIGKILL:
            _kill_group(self._process.pid)
        else:
            self._process.send_signal(wanted)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass  # nobody is left


def _exit(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
