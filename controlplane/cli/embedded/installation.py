"""One installation: its state folder, its ports and secrets, and the services it consists of."""

import fcntl
import http.client
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import controlplane
from controlplane.cli.config import write_private
from controlplane.cli.embedded.postgres import Postgres
from controlplane.cli.embedded.service import EmbeddedError, Service
from controlplane.cli.embedded.valkey import Valkey

CODE = Path(controlplane.__file__).resolve().parents[1]
HOST = "127.0.0.1"
DEFAULT_PORT = 8480
MEANT_FOR_ALL = ("DATAHALL_LOG_LEVEL", "DATAHALL_ISOLATION", "DATAHALL_SHARES")
PORT_WAIT_SECONDS = 5.0  # for a predecessor that was killed to let go of its ports


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is chosen at the first start and kept: `embedded.json`, for the owner's eyes only."""

    port: int
    gateway_port: int
    postgres_port: int
    postgres_password: str
    valkey_port: int
    valkey_password: str
    secret_key: str


class Installation:
    """The services of one state folder, and what they are told."""

    def __init__(self, state: Path, chosen: Chosen) -> None:
        self.state = state
        self.chosen = chosen
        self.url = f"http://{HOST}:{chosen.port}"
        self.gateway_url = f"http://{HOST}:{chosen.gateway_port}"
        self.logs = state / "logs"
        self.node = state / "node"
        self.token_file = state / "operator.token"
        self.ready_file = state / "ready.json"
        self.postgres = Postgres(
            state=state, port=chosen.postgres_port, password=chosen.postgres_password
        )
        self.valkey = Valkey(state=state, port=chosen.valkey_port, password=chosen.valkey_password)

    @classmethod
    def open(cls, state: Path, *, port: int | None) -> "Installation":
        """The installation of this folder, chosen now if it has never run."""
        file = state / "embedded.json"
        try:
            known: dict[str, Any] = json.loads(file.read_text())
        except ValueError:
            raise EmbeddedError(_damaged(file)) from None
        except FileNotFoundError:
            known = {
                "port": DEFAULT_PORT,
                "postgres_port": free_port(),
                "postgres_password": secrets.token_urlsafe(24),
                "valkey_port": free_port(),
                "valkey_password": secrets.token_urlsafe(24),
                "secret_key": secrets.token_urlsafe(48),
            }
        try:
            known |= {"port": port} if port else {}
            # a file from before there was a gateway has no port for it
            if known.get("gateway_port") in (None, known.get("port")):
                known["gateway_port"] = _gateway_port(known["port"])
            chosen = Chosen(**known)
        except (TypeError, KeyError):
            raise EmbeddedError(_damaged(file)) from None
        write_private(file, asdict(chosen))
        return cls(state, chosen)

    def check_ports(self) -> None:
        """Raise unless our ports are free, or become free in a moment."""
        deadline = time.monotonic() + PORT_WAIT_SECONDS
        own = self.chosen
        for port, whose, remedy in (
            (own.port, "the web server", "choose another one with --port"),
            (own.gateway_port, "this installation's gateway", "end the program that took it"),
            (own.postgres_port, "this installation's Postgres", "end the program that took it"),
            (own.valkey_port, "this installation's Valkey", "end the program that took it"),
        ):
            while not is_free(port):
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"port {port} of {whose} is in use: {remedy}")
                time.sleep(0.1)

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the control plane is told."""
        return self.bare_environment | {
            "DJANGO_SETTINGS_MODULE": "controlplane.settings.embedded",
            "DATABASE_URL": self.postgres.url(),
            "REDIS_URL": self.valkey.url,
            "DATAHALL_STATE": str(self.state),
            "DATAHALL_SECRET_KEY": self.chosen.secret_key,
            "DATAHALL_PUBLIC_URL": self.url,
            "DATAHALL_GATEWAY_URL": self.gateway_url,
            "DATAHALL_NODE_BROKER_URL": f"redis://{HOST}:{self.chosen.valkey_port}/0",
        }

    def web(self) -> Service:
        return self._python(
            "web",
            *("-m", "uvicorn", "controlplane.asgi:application", "--host", HOST),
            *("--port", str(self.chosen.port), "--http", "controlplane.http:BoundedHttp"),
            *("--ws", "websockets-sansio", "--no-access-log"),
            *("--ws-max-size", "1048576", "--ws-per-message-deflate", "false"),
            *("--no-server-header", "--timeout-graceful-shutdown", "3", "--log-level", "warning"),
            ready=self.is_ready,
        )

    def gateway(self) -> Service:
        """Predictions have a process of their own: a busy page cannot slow them."""
        return self._python(
            "gateway",
            *("-m", "uvicorn", "controlplane.gateway:application", "--host", HOST),
            *("--port", str(self.chosen.gateway_port), "--ws", "none", "--no-access-log"),
            *("--loop", "uvloop", "--http", "controlplane.http:BoundedHttp"),
            *("--no-date-header", "--no-proxy-headers", "--no-server-header"),
            *("--timeout-graceful-shutdown", "3", "--log-level", "warning"),
            ready=self.gateway_is_ready,
        )

    def controller(self) -> Service:
        leads = self.state / "controller.leads"
        leads.unlink(missing_ok=True)  # of one that was killed
        return self._python(
            "controller",
            *("-m", "controlplane.controller"),
            env=self.environment | {"DATAHALL_READY_FILE": str(leads)},
            ready=leads.exists,
        )

    def worker(self) -> Service:
        return self._python(
            "worker",
            *("-m", "celery", "-q", "-A", "controlplane.celery", "--skip-checks", "worker"),
            *("-Q", "control", "-P", "threads", "-c", "2", "-n", "control@%h", "-l", "INFO"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            says_ready=" ready.",
        )

    def agent(self, *, lifeline: int, simulated_gpus: int) -> Service:
        """This machine's agent. It knows nothing of the control plane's secrets.

        It ends its payloads when it is stopped, and when nobody holds the lifeline any more.
        """
        return Service(
            name="agent",
            argv=(
                *(sys.executable, "-m", "agents.node", "run", "--state", str(self.node)),
                *("--url", self.url),  # the port may be another than when it joined
                *(("--simulate-gpus", str(simulated_gpus)) if simulated_gpus else ()),
            ),
            env=self.bare_environment
            | {"DATAHALL_LIFELINE_FD": str(lifeline), "DATAHALL_STOP_WORKLOADS": "1"},
            cwd=CODE,
            inherit=(lifeline,),
            death_signal=signal.SIGTERM,
            stop_seconds=45.0,  # payloads get their grace, and their last words go up
        )

    def join_command(self, join_token: str) -> tuple[str, ...]:
        return (
            *(sys.executable, "-m", "agents.node", "join", self.url, join_token),
            *("--state", str(self.node)),
        )

    def has_joined(self) -> bool:
        return (self.node / "identity.json").exists()

    def is_ready(self) -> bool:
        """Whether the web server says that it and what it needs are well."""
        return self._get("/readyz", token="") is not None

    def gateway_is_ready(self) -> bool:
        """Whether the gateway says that it knows its endpoints."""
        return self._get("/readyz", token="", port=self.chosen.gateway_port) is not None

    def node_is_fresh(self, token: str, *, since: datetime) -> bool:
        """Whether this machine's agent has made contact since then, as the API sees it."""
        identity = json.loads((self.node / "identity.json").read_text())
        node = self._get(f"/api/v1/nodes/{identity['node']}", token=token)
        if node is None or node["contact"] != "fresh" or node["last_contact_at"] is None:
            return False
        return datetime.fromisoformat(node["last_contact_at"]) >= since

    def _get(self, path: str, *, token: str, port: int | None = None) -> dict[str, Any] | None:
        connection = http.client.HTTPConnection(HOST, port or self.chosen.port, timeout=5)
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return dict(json.loads(body)) if answer.status == http.HTTPStatus.OK else None

    def _python(self, name: str, *arguments: str, **more: Any) -> Service:
        program: dict[str, Any] = {
            "argv": (sys.executable, *arguments),
            "env": self.environment,
            "cwd": CODE,
        }
        return Service(name=name, **(program | more))

    @property
    def bare_environment(self) -> dict[str, str]:
        """Ours, without anything that was meant for another installation."""
        theirs = ("DATAHALL_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "CELERY_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in MEANT_FOR_ALL or not name.startswith(theirs)
        }
        return kept | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Hold the state folder: a second starter is told who has it."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise EmbeddedError(
                f"Datahall already runs in {state} (process {lock.read().strip() or 'unknown'})"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _damaged(file: Path) -> str:
    return f"{file} is damaged: put it back from a backup, or move the folder away to start anew"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise EmbeddedError(f"port {port} is for root alone: choose one above 1023") from None
        except OSError:
            return False
        return True


def _gateway_port(web_port: int) -> int:
    """The one after the web server's, or a free one where that is taken.

    Never the same number for two installations: both might find it free and only one could have it.
    """
    beside = web_port + 1
    return beside if beside < 2**16 and is_free(beside) else free_port()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
