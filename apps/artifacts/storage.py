"""Where bytes live: under their sha256, whole or not there at all.

Bytes on their way in are kept apart until every one of them is there and their sha256 has been
checked; then one rename makes them visible. Nothing here knows of projects or people.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec
from django.conf import settings

from apps.common.errors import DomainError

DIGEST = re.compile(r"[0-9a-f]{64}")
SUFFIXES = (".part", ".mark", ".done")  # a .mark is a .done that is still being written
MARGIN_BYTES = 64 * 1024 * 1024  # of the disk, left for the rest of the installation


class BytesMissing(DomainError):
    """The store does not hold these bytes."""

    status = 404


class BytesDamaged(DomainError):
    """The stored bytes are not what their name says."""

    status = 500


class DigestMismatch(DomainError):
    """What arrived is not what was announced; it was thrown away."""

    status = 422


class StoreFull(DomainError):
    """The disk of the store has no room for these bytes."""

    status = 507


class UploadBusy(DomainError):
    """Somebody is writing to this upload right now."""

    status = 423


class UploadIncomplete(DomainError):
    """Not all bytes are there yet."""


class Sealed(msgspec.Struct, frozen=True):
    """Bytes that are in the store for good."""

    digest: str
    size: int


class Store(Protocol):
    """What the control plane asks of a store of bytes, wherever they lie."""

    def size(self, digest: str) -> int | None:
        """How many bytes are stored under a digest; None if it is not there."""

    def read_small(self, digest: str, limit: int) -> bytes:
        """All bytes of a digest that has at most ``limit`` of them."""

    def offset(self, upload: UUID) -> int:
        """How many bytes of an upload have arrived."""

    def seal(self, upload: UUID, *, size: int, declared: str) -> Sealed:
        """Make a complete upload visible under its digest; a repeat gives the same answer."""

    def discard(self, upload: UUID) -> None:
        """Forget an upload, unless somebody is writing to it. What was sealed stays."""

    def uploads(self) -> Iterator[UUID]:
        """Every upload that something is kept of."""

    def free_bytes(self) -> int:
        """How many bytes could still be taken."""


class LocalStore:
    """A folder: ``blobs/<first two>/<digest>`` and ``uploads/<id>.part`` on one file system.

    An upload's ``.done`` mark is written after its bytes were checked and before they are renamed,
    so a crash between the two loses nothing: whoever looks next renames.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        self._damaged = root / "damaged"
        self._lock = root / "collector.lock"
        for folder in (self._blobs, self._uploads):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    # --- what is stored ---

    def size(self, digest: str) -> int | None:
        try:
            found = self._blob(digest).lstat()
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, digest: str, *, size: int) -> int:
        """A descriptor for reading; raises if the bytes are missing or not as many as they were."""
        try:
            # never follows a link, never waits for the other end of a pipe
            descriptor = os.open(
                self._blob(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            )
        except FileNotFoundError:
            raise BytesMissing(digest=digest) from None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            os.close(descriptor)
            raise BytesDamaged(digest=digest)
        return descriptor

    def read_small(self, digest: str, limit: int) -> bytes:
        size = self.size(digest)
        if size is None:
            raise BytesMissing(digest=digest)
        if size > limit:
            raise ValueError(f"{size} bytes where at most {limit} are read")
        with os.fdopen(self.open(digest, size=size), "rb") as file:
            data = file.read(limit)
        if hashlib.sha256(data).hexdigest() != digest:
            raise BytesDamaged(digest=digest)
        return data

    # --- all that is stored ---

    def blobs(self, *, after: str = "") -> Iterator[tuple[str, os.stat_result]]:
        """Every stored digest above one, in order, with what the file system says of it."""
        for folder in sorted(os.listdir(self._blobs)):
            if folder < after[:2]:
                continue
            for name in sorted(os.listdir(self._blobs / folder)):
                if name > after and DIGEST.fullmatch(name):
                    try:
                        yield name, self._blob(name).lstat()
                    except FileNotFoundError:
                        continue

    def is_whole(self, digest: str) -> bool:
        """Whether the bytes are what their name says. Reads all of them."""
        with self._blob(digest).open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    def set_aside(self, digest: str) -> None:
        """Take damaged bytes from where they could be given to somebody; keep them to look at."""
        self._damaged.mkdir(exist_ok=True, mode=0o700)
        with self._locked(fcntl.LOCK_EX):
            if not self.is_whole(digest):  # they may have been sent again meanwhile
                self._blob(digest).replace(self._damaged / digest)

    def marked(self) -> set[str]:
        """The digests that complete uploads are about to become."""
        found = set()
        for path in self._uploads.glob("*.done"):
            with suppress(FileNotFoundError, msgspec.DecodeError):
                found.add(msgspec.json.decode(path.read_bytes(), type=Sealed).digest)
        return found

    def remove(self, digest: str, *, unless: Callable[[], bool], older_than: float) -> int:
        """Remove bytes unless somebody needs them, asked while nothing can come to need them.

        How many bytes that gave back. Bytes that were written or sent again after that time stay.
        """
        with self._locked(fcntl.LOCK_EX):
            try:
                found = self._blob(digest).lstat()
            except FileNotFoundError:
                return 0
            if found.st_mtime > older_than or digest in self.marked() or unless():
                return 0
            self._blob(digest).unlink()
            return found.st_size

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    # --- what is on its way in ---

    def offset(self, upload: UUID) -> int:
        if sealed := self.sealed(upload):
            return sealed.size
        try:
            return self._part(upload).stat().st_size
        except FileNotFoundError:
            return 0

    def sealed(self, upload: UUID) -> Sealed | None:
        """What an upload has become, if all its bytes came and were checked."""
        try:
            mark = msgspec.json.decode(self._mark(upload).read_bytes(), type=Sealed)
        except FileNotFoundError:
            return None
        if self.size(mark.digest) is None and not self._adopt_part(upload, mark):
            self._mark(upload).unlink(missing_ok=True)  # the store has lost them: send them again
            return None
        return mark

    def receive(self, upload: UUID) -> "Incoming":
        """Become the only writer of an upload that is not sealed; ``UploadBusy`` if one is."""
        path = self._part(upload)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise UploadBusy from None
            if _is_at(descriptor, path):
                return Incoming(self, upload, descriptor)
            os.close(descriptor)  # sealed or swept between the opening and the lock

    def seal(self, upload: UUID, *, size: int, declared: str) -> Sealed:
        if sealed := self.sealed(upload):
            return sealed
        incoming = self.receive(upload)
        try:
            if incoming.offset != size and not self.sealed(upload):
                raise UploadIncomplete(offset=incoming.offset, size=size)
            return incoming.seal(declared)
        finally:
            incoming.close()

    def discard(self, upload: UUID) -> None:
        try:
            incoming = self.receive(upload)
        except UploadBusy:
            return
        try:
            for suffix in SUFFIXES:
                (self._uploads / f"{upload}{suffix}").unlink(missing_ok=True)
        finally:
            incoming.close()

    def uploads(self) -> Iterator[UUID]:
        names = (Path(entry.name) for entry in os.scandir(self._uploads))
        yield from {UUID(name.stem) for name in names if name.suffix in SUFFIXES}

    def free_bytes(self) -> int:
        return max(0, shutil.disk_usage(self._uploads).free - MARGIN_BYTES)

    # --- shared with the writer ---

    def _keep(self, upload: UUID, sealed: Sealed) -> None:
        """Make a checked and synced part visible. Called by the one who holds its lock."""
        mark = self._mark(upload)
        fresh = mark.with_suffix(".mark")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(sealed))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(mark)
        _sync_folder(self._uploads)
        self._adopt_part(upload, sealed)

    def _adopt_part(self, upload: UUID, sealed: Sealed) -> bool:
        """Rename a part whose mark is written; whether the bytes are stored now."""
        with self._locked(fcntl.LOCK_SH):
            return self._rename_part(upload, sealed)

    def _rename_part(self, upload: UUID, sealed: Sealed) -> bool:
        part, blob = self._part(upload), self._blob(sealed.digest)
        if not blob.parent.is_dir():
            blob.parent.mkdir(exist_ok=True, mode=0o700)
            _sync_folder(self._blobs)
        try:
            if part.stat().st_size == sealed.size:
                part.replace(blob)  # over an older copy, too: these bytes were checked just now
                _sync_folder(blob.parent)
        except FileNotFoundError:
            pass  # somebody else renamed it first
        return self.size(sealed.digest) is not None

    def _blob(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise ValueError("not a sha256")
        return self._blobs / digest[:2] / digest

    def _part(self, upload: UUID) -> Path:
        return self._uploads / f"{upload}.part"

    def _mark(self, upload: UUID) -> Path:
        return self._uploads / f"{upload}.done"


class Incoming:
    """The one writer of an upload; holds its lock until closed. Methods may run in any thread."""

    def __init__(self, store: LocalStore, upload: UUID, descriptor: int) -> None:
        self._store = store
        self._upload = upload
        self._descriptor = descriptor
        self._turn = threading.Lock()  # a cancelled request closes while its last write still runs
        self.offset = os.fstat(descriptor).st_size

    def write(self, data: bytes | bytearray) -> None:
        """Append; after ``StoreFull`` the offset says how much of it was taken."""
        with self._turn:
            view = memoryview(data)
            try:
                while view:
                    written = os.pwrite(self._descriptor, view, self.offset)
                    self.offset += written
                    view = view[written:]
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StoreFull from None
                raise

    def sync(self) -> None:
        """Return when what was written would survive a power cut."""
        with self._turn:
            _sync(self._descriptor)

    def seal(self, declared: str) -> Sealed:
        """Check the bytes against the declared digest, if any, and make them visible.

        On ``DigestMismatch`` they are gone and the upload starts over.
        """
        with self._turn:
            if sealed := self._store.sealed(self._upload):
                return sealed
            _sync(self._descriptor)
            digest = _digest_of(self._descriptor)
            if declared and digest != declared:
                self._store._part(self._upload).unlink(missing_ok=True)
                raise DigestMismatch(declared=declared, actual=digest)
            sealed = Sealed(digest, self.offset)
            self._store._keep(self._upload, sealed)
            return sealed

    def close(self) -> None:
        """Let the next writer in."""
        with self._turn:
            os.close(self._descriptor)


@cache
def _store_at(root: Path) -> LocalStore:
    return LocalStore(root)


def store() -> LocalStore:
    """The store of this installation."""
    return _store_at(Path(settings.ARTIFACTS_DIR))


def has(digest: str) -> bool:
    """Whether the bytes are stored. Says nothing of who may see them: ask `selectors` for that."""
    return store().size(digest) is not None


def read_small(digest: str, limit: int) -> bytes:
    """All bytes of a digest; ``ValueError`` if there are more than ``limit``."""
    return store().read_small(digest, limit)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _digest_of(descriptor: int) -> str:
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull from None
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
