"""Bodies of the agent's HTTPS calls under /agent/v1/ (JSON).

One answer is not JSON: GET /agent/v1/workloads/{id}/spec gives the exact bytes the order was signed
over. 404 and 409 with a problem's code mean that the workload is not this node's, or no longer: the
node lets go of it. A refusal without a code is of something in between, and is asked again.
"""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from agents.protocol.base import Message, Reason
from agents.protocol.link import Inventory


class JoinRequest(Message):
    """POST /agent/v1/join: a single-use token buys an identity for a key the node made itself."""

    token: str
    name: str
    public_key: str  # Ed25519, raw, base64
    inventory: Inventory


class BrokerAccess(Message):
    """The node's own broker user; it can touch only the node's own keys."""

    url: str
    username: str
    password: str


class JoinAnswer(Message):
    node: UUID
    name: str
    signing_keys: dict[str, str]  # key id -> Ed25519 public key, raw, base64
    broker: BrokerAccess | None = None  # None: live by pulling


class ChallengeRequest(Message):
    node: UUID


class Challenge(Message):
    nonce: str


class TokenRequest(Message):
    """POST /agent/v1/token: ``signature`` is over b"datahall-node-v1\\0" + nonce, base64."""

    node: UUID
    nonce: str
    signature: str


class TokenAnswer(Message):
    token: str  # bearer for the link and for /agent/v1/, 15 minutes
    expires_in: int
    server_time: float
    signing_keys: dict[str, str]


NODE_DOMAIN = b"datahall-node-v1\0"


class Desired(Message):
    """GET /agent/v1/desired: every envelope that this node has not settled yet."""

    envelopes: list[str]


class StartRequest(Message):
    """POST /agent/v1/workloads/{id}/start.

    The same ``nonce`` may ask again after a lost answer; another never gets yes.
    """

    fence: int
    nonce: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    fabric_address: Annotated[str, msgspec.Meta(max_length=255)] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None


class Ticket(Message):
    digest: str
    size: int
    url: str  # absolute path on the control plane, or an absolute URL of the store


class GangPlace(Message):
    rank: int
    world_size: int
    master_addr: str
    master_port: int


class StartAnswer(Message):
    answer: Literal["wait", "no", "yes"]
    reason: Reason | None = None
    run_token: str = ""
    project: str = ""  # slug
    secrets: dict[str, str] = {}
    tickets: list[Ticket] = []
    gang: GangPlace | None = None
    devices: list[str] = []  # UUIDs of the devices leased to it


class OutputRequest(Message):
    """POST /agent/v1/workloads/{id}/outputs: may these bytes be sent, and where to?"""

    fence: int
    digest: str
    size: int


class OutputAnswer(Message):
    stored: bool  # the bytes are already there
    upload_url: str = ""  # absolute path or URL, with the ticket in it


class OutputFinished(Message):
    """POST /agent/v1/workloads/{id}/outputs/finish: all bytes were sent; 204 once they are kept."""

    fence: int
    digest: str


class Problem(Message):
    """RFC 9457, with the code and parameters of the message catalogue."""

    title: str = ""
    status: int = 0
    detail: str = ""
    code: str = ""
    params: dict[str, object] = {}
