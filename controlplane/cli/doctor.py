"""What an installation on this machine needs, and whether the one that is used can be reached.

What a host and its node need is looked at by `agents.node doctor`, in a process of its own: it
asks drivers and imports torch, and this program is to survive both.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import click
import httpx
import msgspec

from agents import __version__
from agents.protocol.checks import Check, failed, not_here, ok, skew, warning
from controlplane.cli.config import Login, current_login
from controlplane.cli.embedded.installation import DEFAULT_PORT, HOST, Installation, locked
from controlplane.cli.embedded.service import EmbeddedError

HOST_SECONDS = 300
ANSWER_SECONDS = 10
REACHED_BY_NODE = ("control plane", "clock", "broker")


def examine(state: Path) -> list[Check]:
    """Everything, in the order in which one thing needs another."""
    own = list(installation(state))
    stopped = any(check.name == "installation" for check in own)
    found = host(state / "node")
    if stopped and (state / "embedded.json").exists():
        # its node rests with it, which is nothing to be mended
        found = [check for check in found if check.name not in ("agent", *REACHED_BY_NODE)]
    return [*found, *own, *reached()]


def host(node: Path) -> list[Check]:
    """This host, and its node if it is one."""
    ran = subprocess.run(
        [sys.executable, "-m", "agents.node", "doctor", "--json", "--state", str(node)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=HOST_SECONDS,
        check=False,
    )
    try:
        return msgspec.json.decode(ran.stdout, type=list[Check])
    except msgspec.DecodeError:
        lines = ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"]
        fix = f"Look at all it says: {sys.executable} -m agents.node doctor --state {node}"
        return [failed("host", lines[-1], fix)]


# --- an installation of `datahall up` -----------------------------------------------------------


def installation(state: Path) -> Iterator[Check]:
    """The servers of this machine's installation: up and well, or with room to come up."""
    if not (state / "embedded.json").exists():
        yield not_here("installation", f"none in {state}", "Start one: datahall up")
        yield _port("port", DEFAULT_PORT, "Choose another: datahall up --port N")
        return
    try:
        own = Installation.open(state, port=None)
    except EmbeddedError as error:
        yield failed("installation", str(error), f"Look at {state / 'embedded.json'}")
        return
    try:
        with locked(state):
            running = False
    except EmbeddedError:
        running = True
    if not running:
        yield not_here("installation", f"{state} is not running", f"datahall up --state {state}")
        taken = "End the program that took it: ss -ltnp | grep :{port}"
        yield _port("web port", own.chosen.port, "Choose another: datahall up --port N")
        for name, port in (
            ("gateway port", own.chosen.gateway_port),
            ("database port", own.chosen.postgres_port),
            ("broker port", own.chosen.valkey_port),
        ):
            yield _port(name, port, taken.format(port=port))
        return
    logs = f"Look at what it says: tail {own.logs}/{{}}.log"
    for name, well, file in (
        ("database", own.postgres.answers, "postgres"),
        ("broker of ours", own.valkey.answers, "valkey"),
        ("web", own.is_ready, "web"),
        ("gateway", own.gateway_is_ready, "gateway"),
    ):
        if well():
            yield ok(name, "answers, and is ours")
        else:
            yield failed(name, "does not answer", logs.format(file))


def _port(name: str, port: int, fix: str) -> Check:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return failed(name, f"{port} cannot be had: {error.strerror}", fix)
    return ok(name, f"{port} is free")


# --- the installation that the commands use -----------------------------------------------------


def reached() -> Iterator[Check]:
    """The control plane that other commands would speak to, its version and its clock."""
    try:
        login = current_login()
    except click.ClickException:
        yield not_here("sign-in", "no installation is known", "datahall login URL")
        return
    yield from api_of(login)


def api_of(login: Login) -> Iterator[Check]:
    look = f"Look whether it runs there: curl {login.url}/readyz"
    try:
        with httpx.Client(base_url=login.url, timeout=ANSWER_SECONDS) as http:
            asked_at = time.time()
            health = http.get("/healthz")
            answered_at = time.time()
            ready = http.get("/readyz")
            headers = {"Authorization": f"Bearer {login.token}"}
            me = http.get("/api/v1/projects?limit=1", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield failed("api", f"{login.url} does not answer: {error}", look)
        return
    yield _version(login.url, health)
    if ready.is_success:
        yield ok("api", f"{login.url} is ready")
    else:
        yield failed("api", f"{login.url} is not ready: {_missing(ready)}", look)
    if me.status_code == httpx.codes.UNAUTHORIZED:
        yield failed("token", "it is refused", f"Sign in again: datahall login {login.url}")
    elif me.is_success:
        yield ok("token", "it is taken")
    if date := health.headers.get("Date"):
        # whole seconds, and somewhere between asking and answer
        ahead = (asked_at + answered_at) / 2 - (parsedate_to_datetime(date).timestamp() + 0.5)
        yield skew("api clock", ahead)


def _version(url: str, health: httpx.Response) -> Check:
    try:
        theirs = str(health.json()["version"])
    except (ValueError, KeyError, TypeError):
        return warning("version", f"{url} does not tell its version", "It may be older than this")
    if theirs != __version__:
        return warning(
            "version",
            f"{theirs} there, {__version__} here",
            f"Use the same: pip install datahall=={theirs}",
        )
    return ok("version", f"{theirs}, here and there")


def _missing(ready: httpx.Response) -> str:
    try:
        checks = ready.json()["checks"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"it says {ready.status_code}"
    return ", ".join(name for name, well in checks.items() if not well) + " is missing"
