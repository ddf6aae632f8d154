"""What a storm rages over: one installation and a second host beside it.

`datahall up` runs the control plane and the agent ``home``. The agent ``away`` joined by token, as
another machine would, and is kept running by us as systemd would keep it: it has no lifeline, so
that the control plane may end while it and its jobs live on.
"""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil
import psycopg
import redis

from controlplane.cli.embedded.postgres import Postgres
from controlplane.cli.embedded.valkey import Valkey
from tests.chaos.oracle import Oracle
from tests.flows.installation import ROOT, Up, until
from tests.servers import free_port

GPUS = "2"  # simulated ones of each node
RESTART_SECONDS = 0.2
SERVICES = {
    "web": "controlplane.asgi",
    "gateway": "controlplane.gateway",
    "controller": "controlplane.controller",
    "worker": "controlplane.celery",
    "postgres": "bin/postgres",
    "valkey": "valkey-server",
}
LETTERBOX, SHIM = "letterbox_worker.py", "node/shim.py"


class NoTarget(Exception):
    """What a fault is aimed at is not there at this moment."""


class Away:
    """The agent of a second host: started again whenever it ends, until told to stop."""

    def __init__(self, state: Path, output: Path, *, shared: Path) -> None:
        self.state = state
        self._shared = shared
        self._output = output
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="away", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        if self._thread.is_alive():
            self._thread.join(30)

    def _keep(self) -> None:
        with self._output.open("ab") as output:
            while not self._stopping.is_set():
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "agents.node", "run"),
                        *("--state", str(self.state), "--simulate-gpus", GPUS),
                        *("--share", f"{self._shared}:rw"),
                    ],
                    cwd=ROOT,
                    env=bare_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
                self._process.wait()
                self._stopping.wait(RESTART_SECONDS)


class Site:
    """A running installation, its nodes and the oracle; knows every process by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.oracle = Oracle(folder / "oracle")
        self.port = free_port()
        self.away = Away(folder / "away", folder / "away.out", shared=self.oracle.folder)
        self.up: Up | None = None
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> "Site":
        try:
            self.start()
            self._join()
            self.away.start()
            with self.api() as api:
                until(lambda: self._fresh(api) == 2)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """The control plane, up and ready."""
        self.up = Up(self.state, self.port, "--simulate-gpus", GPUS, shared=self.oracle.folder)
        self.ready = self.up.wait_until_ready()

    def stop(self) -> None:
        self.away.stop()
        if self.up is not None:
            self.up.stop()
        for process in self.leftovers():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def api(self, timeout: float = 10) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.ready['url']}/api/v1",
            headers={"Authorization": f"Bearer {self.ready['token']}"},
            timeout=timeout,
        )

    # --- what runs --------------------------------------------------------------------------------

    def process(self, name: str) -> psutil.Process:
        """A process by its part: a service, ``agent``, ``letterbox``; ``agent:away`` of a node."""
        found = list(self.processes(name))
        if not found:
            raise NoTarget(name)
        return found[0]

    def processes(self, name: str) -> Iterator[psutil.Process]:
        """Every process of a part; there may be none at a moment."""
        part, _, node = name.partition(":")
        if part in SERVICES:
            yield from _with(self._children(), SERVICES[part])
        elif part == "shim":
            yield from _with(psutil.process_iter(), SHIM, str(self.folder))
        elif part in ("agent", "letterbox"):
            for folder in self.node_folders().values() if not node else [self.node_folders()[node]]:
                for agent in _with(psutil.process_iter(), "agents.node", f"{folder}"):
                    if part == "agent":
                        yield agent
                    else:
                        yield from _with(_children(agent), LETTERBOX)
        else:
            raise ValueError(name)

    def node_folders(self) -> dict[str, Path]:
        return {"home": self.state / "node", "away": self.away.state}

    def _children(self) -> list[psutil.Process]:
        if self.up is None or self.up.process.poll() is not None:
            return []
        return _children(psutil.Process(self.up.process.pid))

    def leftovers(self) -> list[psutil.Process]:
        """Shims and payloads of this site that run now."""
        marks = (str(self.oracle.folder), str(self.folder / "away"), str(self.state / "node"))
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                words = process.cmdline()
                if any(mark in word for word in words for mark in marks) and not (
                    "agents.node" in words or process.pid == os.getpid()
                ):
                    found.append(process)
        return found

    # --- its stores -------------------------------------------------------------------------------

    @property
    def chosen(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "embedded.json").read_text()))

    def postgres(self) -> "psycopg.Connection[Any]":
        chosen = self.chosen
        server = Postgres(
            state=self.state, port=chosen["postgres_port"], password=chosen["postgres_password"]
        )
        return psycopg.connect(server.url(), autocommit=True, connect_timeout=5)

    def valkey(self) -> redis.Redis:
        chosen = self.chosen
        server = Valkey(
            state=self.state, port=chosen["valkey_port"], password=chosen["valkey_password"]
        )
        return redis.Redis.from_url(server.url, socket_timeout=5, socket_connect_timeout=5)

    def on_node(self, folder: Path) -> dict[str, int]:
        """What an agent has still to do, and the folders that it keeps for it."""
        with closing(sqlite3.connect(f"file:{folder / 'agent.db'}?mode=ro", uri=True)) as database:
            claims = database.execute("SELECT count(*) FROM claims WHERE NOT settled").fetchone()[0]
            reports = database.execute("SELECT count(*) FROM reports").fetchone()[0]
        workspaces = sum(1 for _ in (folder / "workloads").iterdir())
        return {"claims": claims, "reports": reports, "workspaces": workspaces}

    # --- beginning --------------------------------------------------------------------------------

    def _join(self) -> None:
        with self.api() as api:
            answer = api.post("/nodes/join-tokens")
            answer.raise_for_status()
        subprocess.run(
            [
                *(sys.executable, "-m", "agents.node", "join"),
                *(self.ready["url"], answer.json()["token"]),
                *("--state", str(self.away.state), "--name", "away"),
            ],
            cwd=ROOT,
            env=bare_environment(),
            check=True,
            capture_output=True,
        )

    @staticmethod
    def _fresh(api: httpx.Client) -> int:
        answer = api.get("/nodes")
        answer.raise_for_status()
        return sum(node["contact"] == "fresh" for node in answer.json()["results"])


def bare_environment() -> dict[str, str]:
    """Ours, without what names another installation."""
    theirs = ("DATAHALL_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "CELERY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children())
    except psutil.Error:
        return []


def _with(processes: Any, *words: str) -> Iterator[psutil.Process]:
    """Those whose command line holds all of these words, and that are not dead already."""
    for process in processes:
        with suppress(psutil.Error, OSError):
            line = " ".join(process.cmdline())
            if all(word in line for word in words) and process.status() != psutil.STATUS_ZOMBIE:
                yield process
