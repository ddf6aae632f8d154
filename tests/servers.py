"""A pytest plugin: a private Postgres and Valkey, up before Django's settings are read.

One Postgres serves all xdist workers, each with a database of its own (pytest-django). Each worker
has its own Valkey: subscriptions and broker users know no databases. Named in `addopts`, because
pytest-django reads the settings before any conftest.
"""

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from controlplane.cli.embedded.postgres import Postgres
from controlplane.cli.embedded.service import running
from controlplane.cli.embedded.valkey import Valkey

STARTED = pytest.StashKey[ExitStack]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    started = early_config.stash[STARTED] = ExitStack()
    try:
        if worker := os.environ.get("PYTEST_XDIST_WORKER"):
            state = Path(os.environ["DATAHALL_STATE"]) / worker
            state.mkdir(mode=0o700)
        else:
            state = Path(tempfile.mkdtemp(prefix="datahall-tests-"))
            started.callback(shutil.rmtree, state, ignore_errors=True)
            os.environ["DATABASE_URL"] = _postgres(state, started)
        os.environ["DATAHALL_STATE"] = str(state)
        os.environ["REDIS_URL"] = _valkey(state, started)
        return (yield)
    except BaseException:
        started.close()
        raise


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[STARTED].close()


def _postgres(state: Path, started: ExitStack) -> str:
    postgres = Postgres(
        state=state,
        port=free_port(),
        password=secrets.token_urlsafe(16),
        durable=False,
    )
    postgres.prepare()
    started.enter_context(running(postgres.service(), log=state / "postgres.log"))
    return postgres.url()


def _valkey(state: Path, started: ExitStack) -> str:
    valkey = Valkey(
        state=state,
        port=free_port(),
        password=secrets.token_urlsafe(16),
        durable=False,
    )
    valkey.prepare()
    started.enter_context(running(valkey.service(), log=state / "valkey.log"))
    return valkey.url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
