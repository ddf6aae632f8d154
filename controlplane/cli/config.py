"""Which installation a command speaks to, and as whom."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import click

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Login:
    url: str
    token: str


def default_state() -> Path:
    """Where an installation on this machine keeps everything."""
    if state := os.environ.get("DATAHALL_STATE"):
        return Path(state)
    if (CHECKOUT / "pyproject.toml").exists():  # run from a source checkout
        return CHECKOUT / ".state"
    return _home("XDG_DATA_HOME", ".local/share")


def current_login() -> Login:
    """By environment, by `datahall login`, or the installation that runs here.

    Either variable alone goes with what is known for the other.
    """
    url = os.environ.get("DATAHALL_URL", "").rstrip("/")
    token = os.environ.get("DATAHALL_TOKEN", "")
    if url and token:
        return Login(url, token)
    for source in (login_file(), default_state() / "ready.json"):
        found = _read(source)
        if found and url in ("", found.url):
            return Login(found.url, token or found.token)
    raise click.ClickException(
        "no installation is known: start one with `datahall up` and wait until it is ready, or "
        "sign in to one with `datahall login URL`; one that was started with --state is found by "
        "DATAHALL_STATE"
    )


def remember(login: Login) -> Path:
    """Keep a login for the commands after this one, readable by its owner alone."""
    path = login_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, {"url": login.url, "token": login.token})
    return path


def write_private(path: Path, body: object) -> None:
    """Write JSON that only the owner can read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(body, file)
    os.replace(temporary, path)


def login_file() -> Path:
    return _home("XDG_CONFIG_HOME", ".config") / "login.json"


def cache_folder() -> Path:
    return _home("XDG_CACHE_HOME", ".cache")


def _home(variable: str, default: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / default) / "datahall"


def _read(path: Path) -> Login | None:
    try:
        body = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return Login(body["url"], body["token"])
