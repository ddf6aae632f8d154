"""Frames: batches whose items stay raw until their tag is known."""

from uuid import UUID

import msgspec
import pytest

from agents.protocol.base import Message
from agents.protocol.link import (
    Ack,
    Heartbeat,
    Item,
    Live,
    LogChunk,
    Look,
    decode_body,
    decode_frame,
    encode_frame,
    tag_of,
)

CHUNK = LogChunk(workload=UUID(int=1), fence=7, offset=0, at=1.0, data=b"\xff\x00")


class Invented(Message, tag="invented_later"):
    what: str = ""


def test_a_frame_gives_back_what_it_was_made_of() -> None:
    items = decode_frame(encode_frame(Heartbeat(sent_at=1.0), CHUNK, Look()))

    assert [item.tag for item in items] == ["heartbeat", "log", "look"]
    assert decode_body(items[1], LogChunk) == CHUNK


def test_an_item_that_nobody_knows_yet_spoils_nothing() -> None:
    items = decode_frame(encode_frame(Invented(what="new"), CHUNK))

    assert [item.tag for item in items] == ["invented_later", "log"]
    assert decode_body(items[1], LogChunk) == CHUNK


def test_an_item_that_is_malformed_spoils_nothing() -> None:
    broken = Item(tag_of(LogChunk), msgspec.Raw(msgspec.msgpack.encode({"workload": 5})))
    whole = Item(tag_of(LogChunk), msgspec.Raw(msgspec.msgpack.encode(CHUNK)))
    first, second = decode_frame(msgspec.msgpack.encode([broken, whole]))

    with pytest.raises(msgspec.ValidationError):
        decode_body(first, LogChunk)
    assert decode_body(second, LogChunk) == CHUNK


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x90\x90",
        b"\x05",
        b"\x91\x05",
        b"text",
        b"\x91\x92\xa1\xff\xc0",  # a tag that is no UTF-8
        b"\x91" * 100_000,
    ],
    ids=range(8),
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_frame(data)


@pytest.mark.parametrize(
    "body",
    [b"\x81\xa1\xff\x01", b"\x81\xa7devices" + b"\x81\xa1a" * 100_000],
    ids=["no UTF-8", "deeply nested"],
)
def test_what_is_no_body_is_refused(body: bytes) -> None:
    (item,) = decode_frame(msgspec.msgpack.encode([Item("live", msgspec.Raw(b"\xc0"))]))

    with pytest.raises(msgspec.DecodeError):
        decode_body(msgspec.structs.replace(item, body=msgspec.Raw(body)), Live)


def test_an_acknowledgement_says_only_what_is_new() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Ack(reports_through=3))) == {
        "type": "ack",
        "reports_through": 3,
    }
