"""The installation's key, which signs orders and the audit: a file of the controller's."""

import hashlib
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


class KeyFileRefused(Exception):
    """The file is there and is no Ed25519 key: it is never overwritten."""


def load_or_create(path: Path) -> Ed25519PrivateKey:
    """The key in the file; a new one, readable by its owner alone, if there is no file."""
    try:
        return _load(path)
    except FileNotFoundError:
        _create(path)
        return _load(path)


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def kid_of(public: bytes) -> str:
    """A key's id is its own fingerprint: two keys never share one, a key never has two."""
    return hashlib.sha256(public).hexdigest()[:16]


def public_key(raw: bytes) -> Ed25519PublicKey:
    """Raises ``ValueError`` for bytes that are no key."""
    return Ed25519PublicKey.from_public_bytes(raw)


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileRefused(f"{path} holds no private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileRefused(f"{path} holds a key of another kind than Ed25519")
    return key


def _create(path: Path) -> None:
    """Whole or not at all, and never over another's: of two that create at once, one wins."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
