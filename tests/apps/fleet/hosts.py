"""A host as the control plane meets it: what it has, and the key it made itself."""

import base64
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from agents.protocol.link import DeviceInfo, Inventory
from agents.protocol.rest import NODE_DOMAIN, JoinAnswer, JoinRequest, TokenRequest
from apps.common.actors import SYSTEM
from apps.fleet import services
from tests import make
from tests.make import NOON

GIB = 1 << 30


def inventory(**changes: object) -> Inventory:
    plain = Inventory(
        hostname="gpu-host",
        cpu_millis=8000,
        memory_bytes=16 * GIB,
        disk_bytes=100 * GIB,
        devices=[device("GPU-1"), device("GPU-2")],
    )
    return msgspec.structs.replace(plain, **changes)


def device(uuid: str, **changes: object) -> DeviceInfo:
    plain = DeviceInfo(uuid=uuid, name="H100", memory_bytes=80 * GIB, index=0)
    return msgspec.structs.replace(plain, **changes)


def invite() -> str:
    _, text = services.create_join_token(created_by=make.user(), actor=SYSTEM, at=NOON)
    return text


def invite_now() -> str:
    """For a test that goes by the real clock."""
    _, text = services.create_join_token(created_by=make.user(), actor=SYSTEM, at=timezone.now())
    return text


class Host:
    """A host that wants in: it has made its own key."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.public_key = base64.b64encode(
            self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        ).decode()

    def request(self, token: str, **changes: object) -> JoinRequest:
        plain = JoinRequest(
            token=token, name="alpha", public_key=self.public_key, inventory=inventory()
        )
        return msgspec.structs.replace(plain, **changes)

    def join(self, **changes: object) -> JoinAnswer:
        return services.join(request=self.request(invite(), **changes), at=NOON)

    def answer(self, node: UUID, nonce: str) -> TokenRequest:
        signature = self.key.sign(NODE_DOMAIN + nonce.encode())
        return TokenRequest(node=node, nonce=nonce, signature=base64.b64encode(signature).decode())
