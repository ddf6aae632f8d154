"""A node obeys a signature: what is forged, altered, misdirected or too old opens nothing."""

import base64
import json
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.protocol.envelope import (
    CLOCK_TOLERANCE_SECONDS,
    DOMAIN,
    LIFETIME_SECONDS,
    MAX_BYTES,
    Order,
    Refused,
    open_envelope,
    queue_of,
    seal,
)

NODE = UUID(int=1)
NOW = 1_780_315_200
KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key()}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=."


def order(**changes: Any) -> Order:
    plain = Order(
        kid="k1",
        aud=NODE,
        seq=1,
        jti=uuid4(),
        iat=NOW,
        exp=NOW + LIFETIME_SECONDS,
        op="start",
        gang=uuid4(),
        workload=uuid4(),
        fence=7,
        spec_sha256="ab" * 32,
    )
    return msgspec.structs.replace(plain, **changes)


def opened(text: Any, *, node: UUID = NODE, now: float = NOW, keys: Any = None) -> Order:
    return open_envelope(text, node=node, keys=KEYS if keys is None else keys, now=now)


def refusal(text: Any, **how: Any) -> str:
    with pytest.raises(Refused) as refused:
        opened(text, **how)
    return refused.value.code


def sealed_raw(payload: bytes, *, domain: bytes = DOMAIN, key: Ed25519PrivateKey = KEY) -> str:
    """What somebody with the key, or with another one, could make of any bytes."""
    parts = (payload, key.sign(domain + payload))
    return ".".join(base64.b64encode(part).decode() for part in parts)


class TestOpening:
    def test_gives_the_order_that_was_sealed(self) -> None:
        sent = order()

        assert opened(seal(sent, KEY)) == sent

    def test_takes_any_key_that_is_trusted(self) -> None:
        both = {"k1": KEY.public_key(), "k2": OTHER_KEY.public_key()}
        sent = order(kid="k2")

        assert opened(seal(sent, OTHER_KEY), keys=both) == sent

    def test_reads_a_newer_payload(self) -> None:
        body = json.loads(msgspec.json.encode(order())) | {"invented_later": 1}

        assert opened(sealed_raw(json.dumps(body).encode())).fence == 7

    def test_holds_until_it_runs_out(self) -> None:
        text = seal(order(), KEY)

        assert opened(text, now=NOW + LIFETIME_SECONDS)
        assert refusal(text, now=NOW + LIFETIME_SECONDS + 1) == "expired"

    def test_forgives_a_clock_that_is_a_little_behind(self) -> None:
        text = seal(order(), KEY)

        assert opened(text, now=NOW - CLOCK_TOLERANCE_SECONDS)
        assert refusal(text, now=NOW - CLOCK_TOLERANCE_SECONDS - 1) == "bad_times"

    def test_does_not_take_one_that_would_hold_for_long(self) -> None:
        assert refusal(seal(order(exp=NOW + LIFETIME_SECONDS + 1), KEY)) == "bad_times"


class TestForged:
    def test_by_another_key(self) -> None:
        assert refusal(seal(order(), OTHER_KEY)) == "bad_signature"

    def test_without_any_trusted_key(self) -> None:
        assert refusal(seal(order(), KEY), keys={}) == "bad_signature"

    def test_for_another_node(self) -> None:
        assert refusal(seal(order(), KEY), node=UUID(int=2)) == "not_for_this_node"

    @pytest.mark.parametrize("domain", [b"", b"datahall-node-v1\0", b"datahall-envelope-v1"])
    def test_from_a_signature_that_was_made_for_something_else(self, domain: bytes) -> None:
        payload = msgspec.json.encode(order())

        assert refusal(sealed_raw(payload, domain=domain)) == "bad_signature"

    def test_from_the_parts_of_two(self) -> None:
        first, second = seal(order(), KEY), seal(order(fence=8), KEY)
        mixed = first.partition(".")[0] + "." + second.partition(".")[2]

        assert refusal(mixed) == "bad_signature"

    @pytest.mark.parametrize(
        "field",
        [
            {"aud": str(uuid4())},
            {"op": "stop"},
            {"fence": 8},
            {"workload": str(uuid4())},
            {"spec_sha256": "cd" * 32},
            {"exp": NOW + 10_000_000},
            {"grace_seconds": 0},
        ],
        ids=lambda field: next(iter(field)),
    )
    def test_by_altering_a_field(self, field: dict[str, Any]) -> None:
        payload, _, signature = seal(order(), KEY).partition(".")
        body = json.loads(base64.b64decode(payload)) | field
        altered = base64.b64encode(json.dumps(body).encode()).decode()

        assert refusal(f"{altered}.{signature}") == "bad_signature"

    @pytest.mark.parametrize(
        "payload",
        [b"", b"null", b"[]", b"{}", b"5", b"\x80\x04\x95", b'{"kid":"\xff"}', b"[" * 10_000],
        ids=lambda payload: repr(payload[:8]),
    )
    def test_is_not_what_is_signed_and_no_order(self, payload: bytes) -> None:
        assert refusal(sealed_raw(payload)) == "malformed"

    @pytest.mark.parametrize("op", ["START", "exec", "", None, 1])
    def test_is_not_an_operation_that_there_is_none_of(self, op: Any) -> None:
        body = json.loads(msgspec.json.encode(order())) | {"op": op}

        assert refusal(sealed_raw(json.dumps(body).encode())) == "malformed"


class TestGarbage:
    @pytest.mark.parametrize(
        "text",
        ["", ".", "a", "a.b", "..", "é.é", "AAAA", "AAAA.", ".AAAA", "AAAA.AAAA.AAAA", "\0"],
    )
    def test_is_refused(self, text: str) -> None:
        assert refusal(text) in {"malformed", "bad_signature"}

    @pytest.mark.parametrize("text", [None, 5, b"bytes", ["a"], {"a": 1}])
    def test_that_is_no_text_is_refused(self, text: Any) -> None:
        assert refusal(text) == "malformed"

    def test_that_is_too_long_is_not_even_read(self) -> None:
        assert refusal("A" * (MAX_BYTES + 1)) == "malformed"
        long = seal(order(spec_sha256="a" * MAX_BYTES), KEY)
        assert refusal(long) == "malformed"

    @given(st.text())
    def test_of_any_kind_is_refused(self, text: str) -> None:
        assert refusal(text) in {"malformed", "bad_signature"}

    @given(st.text(alphabet=ALPHABET, max_size=400))
    def test_that_looks_like_one_is_refused(self, text: str) -> None:
        assert refusal(text) in {"malformed", "bad_signature"}


SEALED = seal(order(jti=UUID(int=9), gang=UUID(int=8), workload=UUID(int=7)), KEY)
HONEST = opened(SEALED)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """An envelope somebody has tampered with in a few places."""
    text = SEALED
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        letter = draw(st.sampled_from(ALPHABET))
        match draw(st.sampled_from(["replace", "insert", "remove", "swap", "cut"])):
            case "replace":
                text = text[:at] + letter + text[at + 1 :]
            case "insert":
                text = text[:at] + letter + text[at:]
            case "remove":
                text = text[:at] + text[at + 1 :]
            case "swap":
                text = text[at:] + text[:at]
            case _:
                text = text[:at]
    return text


class TestTampering:
    @given(mutations())
    @settings(max_examples=500)
    def test_never_opens_another_order(self, text: str) -> None:
        try:
            order = opened(text)
        except Refused:
            return
        # base64 spells the last bits of a text in more than one way: the same bytes may open
        assert order == HONEST

    @given(st.data())
    @settings(max_examples=300)
    def test_of_a_single_bit_of_payload_or_signature_is_always_refused(
        self, data: st.DataObject
    ) -> None:
        parts = [bytearray(base64.b64decode(part)) for part in SEALED.split(".")]
        which = data.draw(st.integers(0, 1))
        bit = data.draw(st.integers(0, len(parts[which]) * 8 - 1))
        parts[which][bit // 8] ^= 1 << bit % 8

        text = ".".join(base64.b64encode(part).decode() for part in parts)
        assert refusal(text) == "bad_signature"


def test_a_queue_belongs_to_one_node() -> None:
    assert queue_of(NODE) == f"node.{NODE}:cmd"
    assert queue_of(NODE) != queue_of(UUID(int=2))
