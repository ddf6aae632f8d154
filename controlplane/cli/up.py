"""Start an installation on this machine, keep it running, and stop all of it.

Ordered: what a process needs is healthy before it starts. Nothing outlives us: at Ctrl-C everything
is stopped in reverse, and when we are killed the kernel tells our children.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from controlplane.cli.config import default_state, write_private
from controlplane.cli.embedded.installation import CODE, Installation, locked
from controlplane.cli.embedded.logs import Logs
from controlplane.cli.embedded.service import EmbeddedError
from controlplane.cli.embedded.supervisor import Supervisor

NODE_WAIT_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Ready:
    """What a running installation tells those who may use it."""

    url: str
    token: str
    sign_in_url: str
    state: str
    pid: int


def up(
    *,
    state: Path,
    port: int | None,
    ready_file: Path | None,
    open_browser: bool,
    simulated_gpus: int,
) -> None:
    """Run an installation until SIGINT or SIGTERM; raises EmbeddedError where it cannot run."""
    os.umask(0o077)
    state = state.absolute()
    with locked(state):
        installation = Installation.open(state, port=port)
        ready_files = [installation.ready_file, *([ready_file.absolute()] if ready_file else [])]
        launcher = _Launcher(installation, ready_files, open_browser, simulated_gpus)
        asyncio.run(launcher.run())


class _Launcher:
    def __init__(
        self,
        installation: Installation,
        ready_files: list[Path],
        open_browser: bool,
        simulated_gpus: int,
    ) -> None:
        self._installation = installation
        self._ready_files = ready_files
        self._open_browser = open_browser
        self._simulated_gpus = simulated_gpus
        self._logs = Logs(installation.logs)
        self._supervisor = Supervisor(tell=self._logs.write)
        # inherited by the agent and the shims below it; they see it end when we do
        self._lifeline, self._held = os.pipe()

    async def run(self) -> None:
        asked_to_stop = self._catch_signals()
        self._forget_ready()
        starting = asyncio.create_task(self._start())
        waiting = asyncio.create_task(asked_to_stop.wait())
        try:
            await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                self._announce(await starting)
                await waiting
            self._logs.say("stopping")
        except EmbeddedError as error:
            self._logs.say(f"stopping: {error}")
            raise
        finally:
            waiting.cancel()
            starting.cancel()
            await asyncio.gather(starting, waiting, return_exceptions=True)
            await self._stop()

    async def _start(self) -> Ready:
        own, supervisor = self._installation, self._supervisor
        began = time.monotonic()
        await asyncio.to_thread(own.check_ports)
        await asyncio.to_thread(own.postgres.prepare)
        own.valkey.prepare()
        await asyncio.gather(
            self._timed("postgres", supervisor.start(own.postgres.service())),
            self._timed("valkey", supervisor.start(own.valkey.service())),
        )
        await self._timed(
            "migrate", self._run("migrate", "-m", "django", "migrate", "--no-input", "-v", "1")
        )
        prepared = await self._timed("prepare", self._prepare())
        await self._timed("web", supervisor.start(own.web()))
        await asyncio.gather(
            self._timed("gateway", supervisor.start(own.gateway())),
            self._timed("controller", supervisor.start(own.controller())),
            self._timed("worker", supervisor.start(own.worker())),
            self._timed("agent", self._start_agent(prepared)),
        )
        self._logs.say(f"everything is up after {time.monotonic() - began:.1f} s")
        return Ready(
            url=own.url,
            token=prepared["token"],
            sign_in_url=prepared["sign_in_url"],
            state=str(own.state),
            pid=os.getpid(),
        )

    async def _timed(self, name: str, step: Awaitable[T]) -> T:
        began = time.monotonic()
        result = await step
        self._logs.say(f"{name} is up after {time.monotonic() - began:.1f} s")
        return result

    async def _run(self, name: str, *arguments: str) -> str:
        """A program of the control plane, run to its end."""
        return await self._supervisor.run(
            name,
            (sys.executable, *arguments),
            env=self._installation.environment,
            cwd=CODE,
        )

    async def _prepare(self) -> dict[str, str]:
        own = self._installation
        invited = ("--no-join-token",) if own.has_joined() else ()
        output = await self._run(
            "prepare", "-m", "controlplane.prepare", "--token-file", str(own.token_file), *invited
        )
        return dict(json.loads(output))

    async def _start_agent(self, prepared: dict[str, str]) -> None:
        own = self._installation
        if not own.has_joined():
            await self._supervisor.run(
                "join", own.join_command(prepared["join_token"]), env=own.bare_environment, cwd=CODE
            )
        started_at = datetime.now(UTC)  # the agent of the last start may count as fresh for a while
        await self._supervisor.start(
            own.agent(lifeline=self._lifeline, simulated_gpus=self._simulated_gpus)
        )
        deadline = time.monotonic() + NODE_WAIT_SECONDS
        while not await asyncio.to_thread(own.node_is_fresh, prepared["token"], since=started_at):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"the agent of this machine made no contact in {NODE_WAIT_SECONDS:.0f} seconds"
                )
            await asyncio.sleep(0.1)

    def _announce(self, ready: Ready) -> None:
        for file in self._ready_files:
            write_private(file, asdict(ready))
        if self._open_browser and _has_display():
            threading.Thread(target=webbrowser.open, args=[ready.sign_in_url], daemon=True).start()
        own = self._installation
        sys.stdout.write(
            f"\nDatahall is ready. This link signs you in once: {ready.sign_in_url}\n"
            f"Endpoints answer at {own.gateway_url}.\n"
        )
        if own.state != default_state():
            sys.stdout.write(f"For other commands: export DATAHALL_STATE={own.state}\n")
        sys.stdout.flush()

    async def _stop(self) -> None:
        self._forget_ready()
        await self._supervisor.stop()
        os.close(self._held)
        os.close(self._lifeline)
        self._logs.close()

    def _forget_ready(self) -> None:
        for file in self._ready_files:
            file.unlink(missing_ok=True)

    def _catch_signals(self) -> asyncio.Event:
        """An event for the first wish to stop; the second Ctrl-C ends everything at once."""
        # also where SIGINT came ignored, as to a background command of a script
        asked = asyncio.Event()

        def ask() -> None:
            if asked.is_set():
                self._supervisor.kill()
            asked.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, ask)
        return asked


def _has_display() -> bool:
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
