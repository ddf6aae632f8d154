"""A private Postgres and Valkey for each pytest invocation, shared by its xdist workers.

They have to run before Django's settings are read, which pytest-django does before any conftest: so
this is a plugin, named in pyproject.toml, and not a fixture.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from controlplane.cli.embedded import Postgres, Valkey, free_port, new_password

START_SECONDS = 60
_servers: list[tuple[subprocess.Popen[bytes], int]] = []
_folders: list[Path] = []


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """A wrapper comes before every plugin that is not: pytest-django reads the settings here."""
    _start_servers()
    return (yield)


def pytest_unconfigure() -> None:
    for process, stop_signal in reversed(_servers):
        process.send_signal(stop_signal)
        process.wait(30)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    _servers.clear()
    _folders.clear()


def _start_servers() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ or _servers:
        return  # the first process has started them, and told us by the environment
    state = Path(tempfile.mkdtemp(prefix="datahall-tests-"))
    _folders.append(state)
    postgres = Postgres(state / "pg", free_port(), new_password())
    valkey = Valkey(state / "valkey", free_port(), new_password())
    for server in (postgres, valkey):
        server.prepare()
        with (state / f"{type(server).__name__}.log").open("wb") as log:
            process = subprocess.Popen(
                server.command(durable=False),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=server.enter(),
            )
        _servers.append((process, server.stop_signal))
        until = time.monotonic() + START_SECONDS
        while not server.is_ready():
            if process.poll() is not None or time.monotonic() > until:
                raise pytest.UsageError(f"{Path(log.name).read_text()}\n{server} did not start")
            time.sleep(0.02)
    postgres.ensure_database()
    os.environ |= {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": valkey.url,
        "DATAHALL_NODE_BROKER_URL": valkey.node_url,
        "DATAHALL_STATE": str(state),
    }
