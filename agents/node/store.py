"""Bytes by digest, fetched once and shared by workloads.

A stored file is read-only and carries a fixed modification time as a seal: a payload that wrote
through its link broke the seal, and the bytes are fetched again. The access time is when it was
last used, set by us, and decides what goes first when the store is full.
"""

import asyncio
import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from agents.node.config import sync_folder
from agents.protocol.rest import Ticket

log = logging.getLogger(__name__)

SEAL_NS = 1_577_836_800 * 10**9  # 2020-01-01: old enough that nothing is written at it by chance

Fetch = Callable[[Ticket, Path], Awaitable[None]]  # adds to the file what it lacks


class Corrupt(Exception):
    """The bytes that came are not those of the digest."""


class Store:
    """The node's cache of artifacts."""

    def __init__(self, folder: Path, fetch: Fetch, *, limit_bytes: int) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._fetch = fetch
        self._limit_bytes = limit_bytes
        self._pins: Counter[str] = Counter()
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._incoming.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def pinned(self, digests: Iterable[str]) -> Iterator[None]:
        """Keep these while inside, however full the store is."""
        kept = Counter(list(digests))
        self._pins.update(kept)
        try:
            yield
        finally:
            self._pins.subtract(kept)
            self._pins += Counter()  # drops what is no longer pinned

    async def ensure(self, ticket: Ticket) -> Path:
        """The file of a digest, fetched if it is not here whole.

        What broke off goes on where it stopped. Raises ``Corrupt`` if the bytes are wrong, and what
        the fetch raises.
        """
        lock = self._fetching.setdefault(ticket.digest, asyncio.Lock())
        async with lock:
            path = self._path(ticket.digest)
            if not await asyncio.to_thread(_sealed, path, ticket.size):
                incoming = self._incoming / ticket.digest
                if not incoming.exists() or incoming.stat().st_size != ticket.size:
                    await self._fetch(ticket, incoming)
                await asyncio.to_thread(self._keep, incoming, path, ticket)
        _touch(path)
        return path

    def place(self, digest: str, target: Path) -> None:
        """Let a stored file appear at a path, read-only."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(self._path(digest), target)

    def shrink(self) -> int:
        """Delete what was used longest ago until the store is within its limit; the bytes freed."""
        found = [
            (status.st_atime_ns, status.st_size, path)
            for path in self._folder.glob("??/*")
            if (status := _status(path))
        ]
        surplus = sum(size for _, size, _ in found) - self._limit_bytes
        freed = 0
        for _, size, path in sorted(found):
            if freed >= surplus:
                break
            if path.name not in self._pins:
                path.unlink(missing_ok=True)
                freed += size
        return freed

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"not a digest: {digest!r}")
        return self._folder / digest[:2] / digest

    def _keep(self, incoming: Path, path: Path, ticket: Ticket) -> None:
        """Check the bytes, then let them appear under their name."""
        with incoming.open("rb") as file:
            if os.fstat(file.fileno()).st_size < ticket.size:
                raise Corrupt(f"{ticket.digest}: cut short")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        if digest != ticket.digest:
            incoming.unlink()
            raise Corrupt(f"{ticket.digest}: the bytes hash to {digest}")
        path.parent.mkdir(exist_ok=True)
        incoming.chmod(0o444)
        os.utime(incoming, ns=(time.time_ns(), SEAL_NS))
        os.replace(incoming, path)
        sync_folder(path.parent)


def _sealed(path: Path, size: int) -> bool:
    status = _status(path)
    if status is None:
        return False
    if status.st_size == size and status.st_mtime_ns == SEAL_NS:
        return True
    log.warning("%s was written to; it is fetched again", path.name)
    path.unlink()  # workloads that have a link keep what they have
    return False


def _touch(path: Path) -> None:
    os.utime(path, ns=(time.time_ns(), SEAL_NS))


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
