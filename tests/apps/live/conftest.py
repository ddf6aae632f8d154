import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.cli.embedded.valkey import Valkey
from tests.servers import free_port


class OwnValkey:
    """A Valkey of the test's own, to be killed, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        valkey = Valkey(
            state=folder, port=free_port(), password=secrets.token_urlsafe(16), durable=False
        )
        valkey.prepare()
        self.url = valkey.url
        self._service = valkey.service()
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._service.argv,
            env=dict(self._service.env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=self._service.entering(),
        )
        assert self._service.ready
        until = time.monotonic() + 30
        while not self._service.ready():
            assert time.monotonic() < until, "valkey did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    server = OwnValkey(tmp_path)
    yield server
    server.kill()
