"""The chain of the audit as it leaves the installation: anybody can verify it, offline.

An export is lines of canonical JSON: a head, then every entry in the order of the chain, each
followed by the checkpoints signed there, then an end. Standard library and Ed25519 only.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = 1
GENESIS = "0" * 64
MOST_FAULTS = 20
_ENTRY = b"datahall-audit-v1\0"
_CHECKPOINT = b"datahall-audit-checkpoint-v1\0"


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value that is hashed and written."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def hash_of(number: int, previous: str, entry: Mapping[str, Any]) -> str:
    """What the next entry is chained to."""
    body = canonical({"entry": entry, "number": number, "previous": previous})
    return hashlib.sha256(_ENTRY + body).hexdigest()


def sign(checkpoint: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """The installation's word that the chain was like this when it was asked."""
    return base64.b64encode(key.sign(_CHECKPOINT + canonical(checkpoint))).decode()


def is_signed(checkpoint: Mapping[str, Any], signature: str, public_key: str) -> bool:
    try:
        raw, decoded = bytes.fromhex(public_key), base64.b64decode(signature, validate=True)
        if (raw.hex(), base64.b64encode(decoded).decode()) != (public_key, signature):
            return False  # both have more than one spelling
        key = Ed25519PublicKey.from_public_bytes(raw)
        key.verify(decoded, _CHECKPOINT + canonical(checkpoint))
    except (ValueError, InvalidSignature):
        return False
    return True


@dataclass(frozen=True)
class Fault:
    """Where the chain does not hold, and how."""

    line: int  # of the export; 0 of one that is not a file
    code: str


@dataclass
class Verdict:
    """What can be said of a chain after it was read to its end."""

    entries: int = 0
    checkpoints: int = 0
    signed_through: int = 0  # the number of the last entry that a signature vouches for
    head: str = GENESIS
    keys: list[str] = field(default_factory=list)  # public keys that signed
    faults: list[Fault] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.faults


class Verifier:
    """Takes the records of a chain one by one, and remembers only how it stands."""

    def __init__(self, *, key: str = "") -> None:
        self.verdict = Verdict()
        self._key = key  # the only one that may have signed, where it is known
        self._installation = ""
        self._begun = self._ended = False

    def fault(self, line: int, code: str) -> None:
        if len(self.verdict.faults) < MOST_FAULTS:
            self.verdict.faults.append(Fault(line, code))

    def take(self, record: Any, line: int = 0) -> None:
        kind = record.get("kind") if isinstance(record, dict) else None
        if self._ended:
            self.fault(line, "goes_on_after_its_end")
        elif kind == "head" and not self._begun:
            self._head(record, line)
        elif not self._begun:
            self.fault(line, "does_not_begin")
            self._begun = True
        elif kind == "entry":
            self._entry(record, line)
        elif kind == "checkpoint":
            self._checkpoint(record, line)
        elif kind == "end":
            self._end(record, line)
        else:
            self.fault(line, "unknown_record")

    def finish(self) -> Verdict:
        if not self._ended:
            self.fault(0, "is_cut_off")
        return self.verdict

    def _head(self, record: dict[str, Any], line: int) -> None:
        self._begun = True
        self._installation = record.get("installation", "")
        expected = {"kind": "head", "format": FORMAT, "installation": self._installation}
        if canonical(record) != canonical(expected):
            self.fault(line, "unknown_format")

    def _entry(self, record: dict[str, Any], line: int) -> None:
        verdict = self.verdict
        if set(record) != {"kind", "number", "previous", "hash", "entry"}:
            self.fault(line, "unknown_record")
            return
        if record["number"] != verdict.entries + 1:
            self.fault(line, "number_missing")
        if record["previous"] != verdict.head:
            self.fault(line, "chain_broken")
        actual = hash_of(record["number"], record["previous"], record["entry"])
        if actual != record["hash"]:
            self.fault(line, "entry_changed")
        verdict.entries += 1
        verdict.head = record["hash"]

    def _checkpoint(self, record: dict[str, Any], line: int) -> None:
        verdict = self.verdict
        said = record.get("checkpoint")
        if set(record) != {"kind", "checkpoint", "signature", "key"} or not isinstance(said, dict):
            self.fault(line, "unknown_record")
            return
        verdict.checkpoints += 1
        if self._key and record["key"] != self._key:
            self.fault(line, "signed_by_another_key")
        if not is_signed(said, record["signature"], record["key"]):
            self.fault(line, "signature_wrong")
        if said.get("installation") != self._installation:
            self.fault(line, "another_installation")
        if said.get("index") != verdict.checkpoints:
            self.fault(line, "checkpoint_missing")
        if (said.get("number"), said.get("hash")) != (verdict.entries, verdict.head):
            self.fault(line, "checkpoint_disagrees")
        else:
            verdict.signed_through = verdict.entries
        if record["key"] not in verdict.keys:
            verdict.keys.append(record["key"])

    def _end(self, record: dict[str, Any], line: int) -> None:
        self._ended = True
        verdict = self.verdict
        expected = {
            "kind": "end",
            "number": verdict.entries,
            "hash": verdict.head,
            "checkpoints": verdict.checkpoints,
        }
        if canonical(record) != canonical(expected):  # 1.0 is not 1
            self.fault(line, "end_disagrees")


def verify_lines(lines: Iterable[bytes], *, key: str = "") -> Verdict:
    """Whether an export says what the installation said, to the byte."""
    verifier = Verifier(key=key)
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if canonical(record) + b"\n" != line:
                verifier.fault(number, "not_canonical")
            verifier.take(record, number)
        except (ValueError, TypeError, RecursionError):
            verifier.fault(number, "unreadable")
    return verifier.finish()
