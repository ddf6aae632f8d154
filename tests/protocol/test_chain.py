"""The audit's chain offline: what was changed by anybody, anywhere, is seen."""

import json
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agents.protocol import chain

ENTRIES, EVERY = 12, 6
MUTATIONS = 10_000
INSTALLATION = "0190a1c0-0000-7000-8000-000000000001"


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def entry(number: int) -> dict[str, object]:
    return {"seq": number * 2, "action": "job.submit", "detail": {"name": f"挖掘 {number}", "n": 1}}


def export(key: Ed25519PrivateKey, entries: list[dict[str, object]] | None = None) -> list[bytes]:
    """An export as an installation with this key would write it."""
    records: list[dict[str, object]] = [
        {"kind": "head", "format": chain.FORMAT, "installation": INSTALLATION}
    ]
    previous, index = chain.GENESIS, 0
    for number, each in enumerate(entries or [entry(n) for n in range(1, ENTRIES + 1)], 1):
        found = chain.hash_of(number, previous, each)
        records.append(
            {
                "kind": "entry",
                "number": number,
                "previous": previous,
                "hash": found,
                "entry": each,
            }
        )
        previous = found
        if number % EVERY == 0:
            index += 1
            said = {
                "installation": INSTALLATION,
                "index": index,
                "number": number,
                "hash": found,
                "signed_at": "2026-06-01T12:00:00.000000+00:00",
            }
            records.append(
                {
                    "kind": "checkpoint",
                    "checkpoint": said,
                    "signature": chain.sign(said, key),
                    "key": public(key),
                }
            )
    records.append({"kind": "end", "number": number, "hash": previous, "checkpoints": index})
    return [chain.canonical(record) + b"\n" for record in records]


def mutate(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """One random change of the file."""
    changed = list(lines)
    at = chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:  # a byte becomes another
            whole = bytearray(b"".join(lines))
            where = chance.randrange(len(whole))
            whole[where] ^= chance.randrange(1, 256)
            return bytes(whole).splitlines(keepends=True)
        case 1:  # a byte goes, or comes
            whole = bytearray(b"".join(lines))
            where = chance.randrange(len(whole))
            if chance.random() < 0.5:
                del whole[where]
            else:
                whole.insert(where, chance.randrange(256))
            return bytes(whole).splitlines(keepends=True)
        case 2:
            del changed[at]
        case 3:
            changed.insert(at, changed[chance.randrange(len(lines))])
        case 4:
            other = (at + chance.randrange(1, len(lines))) % len(lines)
            changed[at], changed[other] = changed[other], changed[at]
        case 5:
            return changed[:at]
    return changed


class TestVerify:
    def test_an_export_holds(self) -> None:
        key = Ed25519PrivateKey.generate()

        verdict = chain.verify_lines(export(key), key=public(key))

        assert verdict.holds, verdict.faults
        assert (verdict.entries, verdict.checkpoints) == (ENTRIES, ENTRIES // EVERY)
        assert verdict.signed_through == ENTRIES
        assert verdict.keys == [public(key)]

    def test_ten_thousand_random_changes_are_all_seen(self) -> None:
        key = Ed25519PrivateKey.generate()
        lines, own = export(key), public(key)
        chance = random.Random(20261125)

        missed = [
            changed
            for changed in (mutate(lines, chance) for _ in range(MUTATIONS))
            if changed != lines and chain.verify_lines(changed, key=own).holds
        ]

        assert missed == []

    def test_a_history_written_anew_is_seen_by_its_signature(self) -> None:
        """Whoever can change everything but has not the key can chain anew, and not sign."""
        own, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        history = [entry(number) for number in range(1, ENTRIES + 1)]
        history[3]["action"] = "job.look"
        forged = export(other, history)

        verdict = chain.verify_lines(forged, key=public(own))

        assert "signed_by_another_key" in {fault.code for fault in verdict.faults}

    @pytest.mark.parametrize(
        ("before", "after"),
        [(b'"number":1,', b'"number":1.0,'), (b'"number":12}', b'"number":12.0}')],
    )
    def test_a_number_has_one_spelling(self, before: bytes, after: bytes) -> None:
        key = Ed25519PrivateKey.generate()
        changed = [line.replace(before, after) for line in export(key)]

        assert not chain.verify_lines(changed, key=public(key)).holds

    def test_what_is_not_signed_yet_is_told_apart(self) -> None:
        key = Ed25519PrivateKey.generate()
        verdict = chain.verify_lines(export(key, [entry(n) for n in range(1, 9)]))

        assert verdict.holds
        assert (verdict.entries, verdict.signed_through) == (8, 6)

    def test_another_installation_s_signature_is_no_proof(self) -> None:
        key = Ed25519PrivateKey.generate()
        lines = export(key)
        lines[0] = lines[0].replace(b"000001", b"000002")

        codes = {fault.code for fault in chain.verify_lines(lines).faults}

        assert codes == {"another_installation"}

    def test_a_bottomless_line_is_a_fault(self) -> None:
        lines = [*export(Ed25519PrivateKey.generate()), b"[" * 100_000 + b"\n"]

        assert [fault.code for fault in chain.verify_lines(lines).faults] == ["unreadable"]

    def test_an_export_is_plain_json(self) -> None:
        assert all(json.loads(line) for line in export(Ed25519PrivateKey.generate()))
