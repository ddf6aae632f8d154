"""A copy of an installation from which it can be built again, made while it runs, and the way back.

FOLDER/blobs/ holds bytes by digest and is shared by all backups in the folder: what is there is not
copied again. FOLDER/<time>/ holds the database, a manifest and the keys. The database is dumped
first and bytes are never changed, so every row of the dump finds its bytes.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from agents import __version__
from controlplane.cli.config import write_private
from controlplane.cli.embedded.installation import CODE, Installation, free_port, is_free, locked
from controlplane.cli.embedded.postgres import DATABASE, MAJOR, USER, binary, environment
from controlplane.cli.embedded.service import EmbeddedError, running

FORMAT = 1
COLLECTOR_LOCK = 0x636F6C6C  # of apps.artifacts: no bytes are removed while it is held
DIGEST = re.compile(r"[0-9a-f]{64}")
PIECE = 1024 * 1024
KEYS = ("signing.key", "operator.token")


@dataclass(frozen=True)
class Manifest:
    """What a backup holds, so that it can be checked before anything is made of it."""

    format: int
    installation: str
    made_at: str
    datahall: str
    postgres: str
    database_bytes: int
    database_sha256: str
    blobs_sha256: str  # of the list of digests and sizes
    blobs: int
    blob_bytes: int
    node: str  # this machine's agent, whose disk is not part of the backup

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        try:
            return cls(**json.loads((folder / "manifest.json").read_text()))
        except FileNotFoundError:
            raise EmbeddedError(f"{folder} is no backup: it has no manifest.json") from None
        except (ValueError, TypeError):
            raise EmbeddedError(
                f"{folder}/manifest.json is damaged, or of another version"
            ) from None


@dataclass(frozen=True)
class Made:
    """A backup, and what was done for it."""

    folder: Path
    keys: Path
    manifest: Manifest
    copied: int
    copied_bytes: int


def backup(state: Path, folder: Path, *, keys: Path | None, tell: Callable[[str], None]) -> Made:
    """Copy the installation into the folder; it may run meanwhile. All of it, or no manifest."""
    if not (state / "embedded.json").is_file():
        raise EmbeddedError(f"there is no installation in {state}")
    own = Installation.open(state, port=None)
    moment = datetime.now(UTC)
    target = folder / f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z"
    draft = folder / f".{target.name}.part"
    if target.exists():
        raise EmbeddedError(f"{target} is there already: try again")
    os.umask(0o077)
    draft.mkdir(parents=True, mode=0o700)
    try:
        # before the dump: a signature is a row first, so the dump has all that this copy has
        checkpoints = state / "audit-checkpoints.jsonl"
        if checkpoints.is_file():
            shutil.copyfile(checkpoints, draft / checkpoints.name)
        with _served(own, draft), psycopg.connect(own.postgres.url(), autocommit=True) as link:
            link.execute("SELECT pg_advisory_lock_shared(%s)", [COLLECTOR_LOCK])
            tell("dumping the database")
            installation = _installation(link)
            dump = draft / "database.dump"
            _run(own, "pg_dump", "-Fc", "-f", str(dump))
            tell("copying bytes")
            listed, copied, copied_bytes = _copy_blobs(state / "artifacts", folder)
        _write(draft / "blobs.txt", "".join(f"{name} {size}\n" for name, size in listed))
        secret = keys or draft / "keys.json"
        secret.parent.mkdir(parents=True, exist_ok=True)
        write_private(secret, _keys(own, installation))
        manifest = Manifest(
            format=FORMAT,
            installation=installation,
            made_at=moment.isoformat(),
            datahall=__version__,
            postgres=MAJOR,
            database_bytes=dump.stat().st_size,
            database_sha256=_sha256(dump),
            blobs_sha256=_sha256(draft / "blobs.txt"),
            blobs=len(listed),
            blob_bytes=sum(size for _, size in listed),
            node=_node(own),
        )
        _write(draft / "manifest.json", json.dumps(asdict(manifest), indent=2) + "\n")
        _sync_tree(draft)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Made(target, keys or target / "keys.json", manifest, copied, copied_bytes)


def restore(
    folder: Path,
    state: Path,
    *,
    keys: Path | None,
    port: int | None,
    other_instance: bool,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Build the installation of a backup in an empty folder; what was found on the way."""
    source = newest(folder)
    manifest = Manifest.read(source)
    if manifest.format != FORMAT or manifest.postgres != MAJOR:
        raise EmbeddedError(
            f"{source} was made by Datahall {manifest.datahall} with Postgres {manifest.postgres}: "
            f"restore it with that version, and upgrade then"
        )
    if state.exists() and any(state.iterdir()):
        raise EmbeddedError(f"{state} is not empty: an installation is restored into a new folder")
    secret = _read_keys(keys or source / "keys.json")
    if secret["installation"] != manifest.installation and not other_instance:
        raise EmbeddedError(
            f"the keys are of installation {secret['installation']}, the backup is of "
            f"{manifest.installation}: nodes of the one will not obey the other. If that is what "
            "you want, say --other-instance"
        )
    tell("checking the backup")
    listed = _check(source, manifest)
    os.umask(0o077)
    draft = state.with_name(f".{state.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        found = _rebuild(source, draft, manifest, secret, listed, port=port, tell=tell)
        if state.exists():
            state.rmdir()
        draft.rename(state)  # only now is there something that could be started
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


def _rebuild(
    source: Path,
    state: Path,
    manifest: Manifest,
    secret: dict[str, Any],
    listed: list[tuple[str, int]],
    *,
    port: int | None,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    with locked(state):
        own = _establish(state, secret, port=port)
        tell(f"copying {len(listed)} files")
        for name, size in listed:
            _copy_blob(source.parent / "blobs" / name[:2] / name, _blob(own.state, name), size)
        checkpoints = source / "audit-checkpoints.jsonl"
        if checkpoints.is_file():
            shutil.copyfile(checkpoints, state / checkpoints.name)
        own.postgres.prepare()
        with running(own.postgres.service(), log=state / "postgres.log"):
            tell("restoring the database")
            dump = str(source / "database.dump")
            _run(own, "pg_restore", "--exit-on-error", "--no-owner", dump)
            found = _become_restored(own, source, manifest)
        (state / "postgres.log").unlink(missing_ok=True)
    return found


def newest(folder: Path) -> Path:
    """The folder if it is a backup, else the newest backup in it."""
    if (folder / "manifest.json").is_file():
        return folder
    made = sorted(path.parent for path in folder.glob("*/manifest.json"))
    if not made:
        raise EmbeddedError(f"there is no backup in {folder}")
    return made[-1]


def fsck(state: Path, *, fast: bool) -> tuple[bool, dict[str, Any]]:
    """Whether rows and bytes of an installation agree; it may run meanwhile."""
    if not (state / "embedded.json").is_file():
        raise EmbeddedError(f"there is no installation in {state}")
    own = Installation.open(state, port=None)
    with _served(own, own.state):
        done = subprocess.run(
            [sys.executable, "-m", "controlplane.fsck", *(("--fast",) if fast else ())],
            env=own.environment,
            cwd=CODE,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    try:
        return done.returncode == 0, dict(json.loads(done.stdout))
    except ValueError:
        raise EmbeddedError("the check did not come to its end") from None


@contextmanager
def _served(own: Installation, folder: Path) -> Iterator[None]:
    """The installation's Postgres: the one that runs, or one for as long as it is needed."""
    with ExitStack() as stack:
        if not own.postgres.answers():
            stack.enter_context(locked(own.state))
            own.postgres.prepare()
            log = folder / "postgres.log"
            stack.enter_context(running(own.postgres.service(), log=log))
            stack.callback(log.unlink, missing_ok=True)
        yield


def _installation(link: "psycopg.Connection[Any]") -> str:
    link.execute(
        "INSERT INTO common_installation (singleton, id, made_at)"
        " VALUES (true, gen_random_uuid(), now()) ON CONFLICT DO NOTHING"
    )
    row = link.execute("SELECT id FROM common_installation").fetchone()
    assert row is not None
    return str(row[0])


def _run(own: Installation, program: str, *arguments: str) -> None:
    """A program of Postgres on the installation's database, to its end."""
    server = own.postgres
    done = subprocess.run(
        [
            *(binary(program), "-h", "127.0.0.1", "-p", str(server.port), "-U", USER),
            *("-d", DATABASE, *arguments),
        ],
        env=environment() | {"PGPASSWORD": server.password},  # not for `ps` to show
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EmbeddedError(f"{program} failed:\n{done.stdout[-2000:]}")


def _copy_blobs(artifacts: Path, folder: Path) -> tuple[list[tuple[str, int]], int, int]:
    """Copy what is not there yet; all that is stored, and how much of it was copied."""
    listed, copied, copied_bytes = [], 0, 0
    for path in sorted((artifacts / "blobs").glob("*/*")):
        if not DIGEST.fullmatch(path.name):
            continue
        size = path.lstat().st_size
        target = folder / "blobs" / path.name[:2] / path.name
        if not target.is_file() or target.stat().st_size != size:
            _copy_blob(path, target, size)
            copied, copied_bytes = copied + 1, copied_bytes + size
        listed.append((path.name, size))
    return listed, copied, copied_bytes


def _copy_blob(source: Path, target: Path, size: int) -> None:
    """Copy bytes whose name is their sha256; damaged ones are not copied."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f"{target.name}.part")
    found = hashlib.sha256()
    try:
        with source.open("rb") as reading, draft.open("wb") as writing:
            while piece := reading.read(PIECE):
                found.update(piece)
                writing.write(piece)
            writing.flush()
            os.fsync(writing.fileno())
        if found.hexdigest() != target.name or draft.stat().st_size != size:
            raise EmbeddedError(f"{source} is damaged: its bytes are not what its name says")
        draft.replace(target)
    except FileNotFoundError:
        raise EmbeddedError(f"{source} is missing") from None
    finally:
        draft.unlink(missing_ok=True)


def _check(source: Path, manifest: Manifest) -> list[tuple[str, int]]:
    """What the backup's list says, when everything beside it is what the manifest says."""
    for name, expected in (
        ("database.dump", manifest.database_sha256),
        ("blobs.txt", manifest.blobs_sha256),
    ):
        if not (source / name).is_file() or _sha256(source / name) != expected:
            raise EmbeddedError(f"{source / name} is missing or damaged")
    lines = [line.split() for line in (source / "blobs.txt").read_text().splitlines()]
    return [(name, int(size)) for name, size in lines]


def _keys(own: Installation, installation: str) -> dict[str, Any]:
    files = {name: own.state / name for name in KEYS}
    return {
        "installation": installation,
        "embedded": asdict(own.chosen),
        "files": {name: path.read_text() for name, path in files.items() if path.is_file()},
    }


def _read_keys(path: Path) -> dict[str, Any]:
    try:
        found = dict(json.loads(path.read_text()))
        if {"installation", "embedded", "files"} <= found.keys():
            return found
    except FileNotFoundError:
        raise EmbeddedError(f"the keys are not in {path}: say where with --keys") from None
    except ValueError:
        pass
    raise EmbeddedError(f"{path} is damaged")


def _establish(state: Path, secret: dict[str, Any], *, port: int | None) -> Installation:
    """The state folder with its secrets, and its ports where they are free: nodes know them."""
    chosen = dict(secret["embedded"])
    for name in ("postgres_port", "valkey_port"):
        if not is_free(chosen[name]):
            chosen[name] = free_port()
    write_private(state / "embedded.json", chosen)
    for name, text in secret["files"].items():
        if name in KEYS:
            _write(state / name, text)
    return Installation.open(state, port=port)


def _become_restored(own: Installation, source: Path, manifest: Manifest) -> dict[str, Any]:
    gone = ("--gone-node", manifest.node) if manifest.node else ()
    for words in (
        ("django", "migrate", "--no-input", "-v", "0"),
        ("controlplane.restored", "--manifest", str(source / "manifest.json"), *gone),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *words],
            env=own.environment,
            cwd=CODE,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"{words[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _node(own: Installation) -> str:
    try:
        return str(json.loads((own.node / "identity.json").read_text())["node"])
    except FileNotFoundError:
        return ""


def _blob(state: Path, digest: str) -> Path:
    return state / "artifacts" / "blobs" / digest[:2] / digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _sync_tree(folder: Path) -> None:
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
