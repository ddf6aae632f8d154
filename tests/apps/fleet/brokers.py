"""A broker of a test's own, that it may stop, freeze and start again."""

import signal
import subprocess
import time
from pathlib import Path

import redis

from controlplane.cli.embedded.valkey import Valkey
from tests.servers import free_port


class Broker:
    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey(state=folder, port=free_port(), password="of-the-test", durable=False)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._valkey.url

    @property
    def node_url(self) -> str:
        """The address without a user: each node has its own."""
        return f"redis://127.0.0.1:{self._valkey.port}/0"

    def start(self) -> None:
        self._valkey.prepare()
        service = self._valkey.service()
        self._process = subprocess.Popen(
            service.argv,
            env=dict(service.env),
            cwd=service.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=service.entering(),
        )
        deadline = time.monotonic() + 30
        while not self._valkey.answers():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget_users(self) -> None:
        """As a broker without a file does when it starts anew."""
        self._valkey.users.unlink()

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url, decode_responses=True)
