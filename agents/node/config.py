"""What a node is and where it keeps it: a folder that only its owner can enter."""

import base64
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agents.protocol.base import Message
from agents.protocol.rest import BrokerAccess


class Identity(Message):
    """``identity.json``: who this node is, to whom it belongs, and whose orders it obeys."""

    node: UUID
    name: str
    url: str  # of the control plane
    signing_keys: dict[str, str]  # pinned at joining: key id -> Ed25519 public key, raw, base64
    broker: BrokerAccess | None = None


class NotJoined(Exception):
    """The state folder holds no identity yet."""


class InUse(Exception):
    """Another agent works in this state folder."""


class State:
    """The agent's folder, by names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.identity_file = self.folder / "identity.json"
        self.key_file = self.folder / "node.key"
        self.database = self.folder / "agent.db"
        self.store = self.folder / "store"
        self.workloads = self.folder / "workloads"
        self.environments = self.folder / "environments"

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.workloads.mkdir(exist_ok=True)

    def lock(self) -> int:
        """Take the folder for this process, until it ends; raises ``InUse``."""
        file = os.open(self.folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise InUse(self.folder) from None
        return file

    def identity(self) -> Identity:
        try:
            body = self.identity_file.read_bytes()
        except FileNotFoundError:
            raise NotJoined(self.folder) from None
        return msgspec.json.decode(body, type=Identity)

    def keep_identity(self, identity: Identity) -> None:
        write_durably(self.identity_file, msgspec.json.encode(identity))

    def keep_address(self, url: str) -> None:
        """The control plane has moved; this node remains who it is."""
        identity = self.identity()
        if identity.url != url:
            self.keep_identity(msgspec.structs.replace(identity, url=url))

    def key(self) -> Ed25519PrivateKey:
        """The node's own key, made on first use; it never leaves this folder."""
        if not self.key_file.exists():
            key = Ed25519PrivateKey.generate()
            write_durably(
                self.key_file,
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            )
        key_ = serialization.load_pem_private_key(self.key_file.read_bytes(), password=None)
        assert isinstance(key_, Ed25519PrivateKey)
        return key_


def public_key_of(key: Ed25519PrivateKey) -> str:
    """The public half as it travels: raw, base64."""
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(raw).decode()


def verification_keys(encoded: Mapping[str, str]) -> dict[str, Ed25519PublicKey]:
    return {
        kid: Ed25519PublicKey.from_public_bytes(base64.b64decode(raw))
        for kid, raw in encoded.items()
    }


def write_durably(path: Path, body: bytes) -> None:
    """Whole or not at all, readable by its owner alone."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(file, "wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
