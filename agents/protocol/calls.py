"""What a gateway and a replica say to each other over their websocket, in MessagePack.

The gateway opens it with a ``Greeting`` and is answered by ``Greeted``, or closed with 4401.
From then on each message is a list: of ``Call`` from the gateway, of ``Answer`` from the replica.
Answers come in any order; every call gets exactly one while the connection lives.
"""

from typing import Any

import msgspec

from agents.protocol.base import Message

CALLS_VERSION = 1
BEARER_REFUSED = 4401  # close code
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

TENSORS = "tensors"  # the inputs' numbers, little-endian, one input after the other, C order


class Greeting(Message):
    """First message of a gateway."""

    bearer: str
    version: int = CALLS_VERSION


class Greeted(Message):
    """The replica takes calls."""

    version: int
    max_batch: int  # rows
    max_queue: int  # calls


class Call(msgspec.Struct, array_like=True, frozen=True):
    id: int  # of this connection, rising
    kind: str  # TENSORS, or the content type of what the body is
    body: bytes
    rows: int = 1  # of TENSORS: the size of the free first dimension


class Answer(msgspec.Struct, array_like=True, frozen=True):
    id: int
    status: int  # 200, 4xx the caller's fault, 500 the model's, 503 not taken: another may
    body: bytes = b""  # JSON array with a prediction for each row
    code: str = ""  # of a refusal, with its parameters
    params: dict[str, Any] = {}
    queued_us: int = 0
    computed_us: int = 0  # of the batch it was in
    batch: int = 0  # rows of that batch


encode_calls = msgspec.msgpack.Encoder().encode
decode_calls = msgspec.msgpack.Decoder(list[Call]).decode
decode_answers = msgspec.msgpack.Decoder(list[Answer]).decode
