import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.cli.embedded import Valkey, free_port, new_password


class OwnValkey:
    """A Valkey of the test's own, to be killed, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        self._server = Valkey(folder, free_port(), new_password())
        self._server.prepare()
        self._log = (folder / "log").open("wb")
        self.url = self._server.url
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._server.command(durable=False),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=self._server.enter(),
        )
        until = time.monotonic() + 30
        while not self._server.is_ready():
            assert time.monotonic() < until, "valkey did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        self._log.close()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[OwnValkey]:
    server = OwnValkey(tmp_path)
    yield server
    server.close()
