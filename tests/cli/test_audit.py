"""`datahall audit` against pages of a chain, and against files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cli.plane import Answer, Asked, plane
from tests.cli.test_commands import run
from tests.protocol.test_chain import INSTALLATION, export, public

KEY = Ed25519PrivateKey.generate()
RECORDS = [json.loads(line) for line in export(KEY)[1:-1]]


def chain(asked: Asked) -> Answer:
    """Two pages: what is up to the sixth entry, and the rest."""
    if asked.path.startswith("/api/v1/audit/chain/records"):
        middle = next(n for n, record in enumerate(RECORDS) if record.get("number") == 7)
        if "after=0" in asked.path:
            return Answer(body={"records": RECORDS[:middle], "next": 6})
        return Answer(body={"records": RECORDS[middle:], "next": None})
    return Answer(body={"installation": INSTALLATION})


class TestAudit:
    def test_an_export_is_byte_by_byte_what_verifies(self, tmp_path: Path) -> None:
        target = tmp_path / "audit.jsonl"
        with plane(chain) as server:
            assert run("audit", "export", str(target), url=server.url).exit_code == 0

        assert target.read_bytes() == b"".join(export(KEY))
        assert target.stat().st_mode & 0o777 == 0o600
        verified = run("audit", "verify", str(target), "--key", public(KEY), "--json")
        assert verified.exit_code == 0
        assert json.loads(verified.output)["holds"]

    def test_the_installation_itself_is_verified_on_this_machine(self) -> None:
        with plane(chain) as server:
            assert "The chain holds." in run("audit", "verify", url=server.url).output

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda lines: [lines[0], *lines[2:]], "an entry is missing"),
            (lambda lines: lines[:-1], "the end is missing"),
            (
                lambda lines: [line.replace(b"job.submit", b"job.forget") for line in lines],
                "line 2: an entry was changed",
            ),
        ],
    )
    def test_a_changed_file_ends_with_1_and_says_where(
        self, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], said: str
    ) -> None:
        file = tmp_path / "audit.jsonl"
        file.write_bytes(b"".join(change(export(KEY))))

        verified = run("audit", "verify", str(file))

        assert verified.exit_code == 1
        assert said in verified.output

    def test_another_key_is_not_believed(self, tmp_path: Path) -> None:
        file = tmp_path / "audit.jsonl"
        file.write_bytes(b"".join(export(KEY)))

        verified = run("audit", "verify", str(file), "--key", "0" * 64)

        assert verified.exit_code == 1
        assert "signed with another key" in verified.output
