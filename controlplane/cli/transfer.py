"""Bytes up and down: resumable, and compared with their digest at the end."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import click
import httpx
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    Task,
    TextColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from controlplane.cli import config
from controlplane.cli.client import BUSY, Client, Refused
from controlplane.cli.output import errors, harmless

CHUNK_BYTES = 8 * 1024 * 1024
TRIES = 6
FIRST_PAUSE_SECONDS = 1.0


Advance = Callable[[int], None]  # told how many bytes of a file are over


def upload(client: Client, path: Path, *, filename: str | None = None) -> str:
    """Send a file and give the finished upload's id; goes on where an earlier try broke off."""
    with _progress(f"upload {harmless(path.name)}", path.stat().st_size) as over:
        return _upload(client, path, filename or path.name, over)


def upload_all(client: Client, paths: list[Path]) -> list[str]:
    """Send files under one bar; the finished uploads' ids, in the same order."""
    if len(paths) == 1:
        return [upload(client, paths[0])]
    total = sum(path.stat().st_size for path in paths)
    done = 0
    uploaded = []
    with _progress(f"upload {len(paths)} files", total) as over:
        for path in paths:
            uploaded.append(_upload(client, path, path.name, _beyond(done, over)))
            done += path.stat().st_size
    return uploaded


def download_all(client: Client, files: list[dict[str, Any]], folder: Path) -> None:
    """Fetch all of them into a folder, by the paths they are listed with."""
    folder.mkdir(parents=True, exist_ok=True)  # what is wrong with it is said before any bar
    one = harmless(files[0]["path"]) if len(files) == 1 else f"{len(files)} files"
    done = 0
    with _progress(f"download {one}", sum(file["size"] for file in files)) as over:
        for file in files:
            download(client, file, _within(folder, file["path"]), _beyond(done, over))
            done += file["size"]


def download(client: Client, file: dict[str, Any], target: Path, over: Advance) -> None:
    """Fetch a listed file; it appears whole, with the right digest, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    for attempt in _attempts():
        with attempt, partial.open("ab") as sink:
            _receive(client, file["url"], sink, over)
            break
    if _digest_of(partial) != file["digest"]:
        partial.unlink()
        raise click.ClickException(f"{file['path']} arrived damaged; run the command again")
    os.replace(partial, target)


def _beyond(done: int, over: Advance) -> Advance:
    """What is over of one file, told after the bytes of those before it."""
    return lambda bytes_over: over(done + bytes_over)


def _upload(client: Client, path: Path, filename: str, over: Advance) -> str:
    size = path.stat().st_size
    digest = _digest_of(path)
    started = _resume(client, digest) or client.post(
        client.in_project("uploads"), {"filename": filename, "size": size, "digest": digest}
    )
    _remember(client, digest, started["id"])
    if not started["finished"]:
        _send(client, started, path, size, over)
        client.post(client.in_project(f"uploads/{started['id']}/finish"))
    _forget(client, digest)
    over(size)
    return str(started["id"])


def _within(folder: Path, path: str) -> Path:
    """The server names files; none of them leaves the folder."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or not parts:
        raise click.ClickException(f"the server names a file that cannot be taken: {path!r}")
    return folder.joinpath(*parts)


def _send(client: Client, started: dict[str, Any], path: Path, size: int, over: Advance) -> None:
    with path.open("rb") as file:
        for attempt in _attempts():
            with attempt:
                offset = _offset_of(client, started["url"])
                while offset < size:
                    file.seek(offset)
                    answer = client.send(
                        "PATCH",
                        started["url"],
                        content=file.read(CHUNK_BYTES),
                        headers={"Upload-Offset": str(offset)},
                    )
                    if answer.status_code in BUSY:  # the try before is still being written down
                        raise httpx.ReadError("busy")
                    if answer.is_error:
                        raise Refused(answer)
                    offset = int(answer.headers["Upload-Offset"])
                    over(offset)
                return


def _offset_of(client: Client, url: str) -> int:
    answer = client.send("HEAD", url)
    if answer.is_error:
        raise Refused(answer)
    return int(answer.headers["Upload-Offset"])


def _receive(client: Client, url: str, sink: Any, over: Advance) -> None:
    have = sink.tell()
    headers = {"Range": f"bytes={have}-"} if have else {}
    with httpx.stream("GET", f"{client.url}{url}", headers=headers, timeout=60) as answer:
        if answer.status_code == 416:  # nothing is missing
            return
        if answer.is_error:
            answer.read()
            raise Refused(answer)
        if answer.status_code == 200:
            sink.truncate(0)
        for block in answer.iter_bytes():
            sink.write(block)
            over(sink.tell())


def _attempts() -> Iterator[contextlib.AbstractContextManager[None]]:
    """Contexts that swallow a broken connection, with growing pauses; the last one does not."""
    for number in range(TRIES):
        if number:
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (number - 1))
        yield _swallowing() if number < TRIES - 1 else _giving_up()


@contextlib.contextmanager
def _swallowing() -> Iterator[None]:
    with contextlib.suppress(httpx.TransportError):
        yield


@contextlib.contextmanager
def _giving_up() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise click.ClickException(
            f"the connection broke {TRIES} times: {error}. Run the command again: it goes on "
            "where it stopped"
        ) from None


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Speed(TransferSpeedColumn):
    """Says nothing of what was over before it could be measured."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.finished_speed or task.speed else Text("")


@contextlib.contextmanager
def _progress(text: str, total: int) -> Iterator[Advance]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, _Speed(), console=errors) as bars:
        task = bars.add_task(text, total=total)
        yield lambda completed: bars.update(task, completed=completed)


# which uploads this machine has begun, so that the next command goes on with them


def _resume(client: Client, digest: str) -> dict[str, Any] | None:
    known = _begun().get(_key(client, digest))
    if known is None:
        return None
    try:
        return dict(client.get(client.in_project(f"uploads/{known}")))
    except Refused:
        return None  # it has expired, or the installation is another one


def _remember(client: Client, digest: str, upload_id: str) -> None:
    _write_begun(_begun() | {_key(client, digest): upload_id})


def _forget(client: Client, digest: str) -> None:
    begun = _begun()
    begun.pop(_key(client, digest), None)
    _write_begun(begun)


def _key(client: Client, digest: str) -> str:
    return f"{client.url} {client.project} {digest}"


def _begun() -> dict[str, str]:
    try:
        return dict(json.loads((config.cache_folder() / "uploads.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def _write_begun(begun: dict[str, str]) -> None:
    folder = config.cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.write_private(folder / "uploads.json", begun)
