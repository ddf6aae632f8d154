"""The sweep that chains what was done, its signatures, and what finds out who changed something."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError
from django.test import Client

from agents.protocol import chain as wire
from apps.audit import answers, selectors, services
from apps.audit.models import Checkpoint, Entry, Link
from apps.common.actors import SYSTEM
from tests import make

LATER = make.NOON + timedelta(hours=2)


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> Path:
    settings.SIGNING_KEY_FILE = tmp_path / "signing.key"
    settings.AUDIT_CHECKPOINTS_FILE = tmp_path / "checkpoints.jsonl"
    return tmp_path


def look(times: int = 1) -> None:
    ada = make.user()
    for _ in range(times):
        services.record(SYSTEM, "user.look", ada, name="ada", number=1.5)


def chain_all() -> None:
    while services.chain_entries(at=make.NOON):
        pass


@pytest.mark.django_db
class TestChain:
    def test_every_entry_gets_one_place(self) -> None:
        look(3)
        chain_all()
        look(2)
        chain_all()

        links = list(Link.objects.order_by("number"))
        assert [link.number for link in links] == list(range(1, Entry.objects.count() + 1))
        assert [link.previous for link in links[1:]] == [link.hash for link in links[:-1]]
        assert links[0].previous == wire.GENESIS

    def test_what_was_committed_late_comes_later(self) -> None:
        look(2)
        first, second = Entry.objects.order_by("seq")
        Link.objects.bulk_create(
            [
                Link(
                    number=1,
                    entry=second,
                    previous=wire.GENESIS,
                    hash="1" * 64,
                    chained_at=make.NOON,
                )
            ]
        )

        chain_all()

        assert Link.objects.get(entry=first).number == 2

    @pytest.mark.parametrize("table", ["audit_link", "audit_checkpoint"])
    @pytest.mark.parametrize("verb", ["UPDATE {} SET hash = ''", "DELETE FROM {}"])
    def test_is_never_changed(self, table: str, verb: str) -> None:
        look()
        chain_all()
        services.sign_checkpoint(at=make.NOON)

        with (
            pytest.raises(IntegrityError, match="never changed"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(verb.format(table))


@pytest.mark.django_db
class TestCheckpoints:
    def test_are_signed_and_appended_to_the_file(self, files: Path) -> None:
        look(2)
        chain_all()
        assert services.sign_checkpoint(at=make.NOON)
        assert services.sign_checkpoint(at=LATER) is None  # nothing is new
        look()
        chain_all()
        assert services.sign_checkpoint(at=make.NOON) is None  # neither much nor long
        assert services.sign_checkpoint(at=LATER)

        assert len((files / "checkpoints.jsonl").read_bytes().splitlines()) == 2

    def test_a_file_that_was_lost_is_written_again(self, files: Path) -> None:
        look()
        chain_all()
        services.sign_checkpoint(at=make.NOON)
        before = (files / "checkpoints.jsonl").read_bytes()
        (files / "checkpoints.jsonl").unlink()

        services.sign_checkpoint(at=make.NOON)

        assert (files / "checkpoints.jsonl").read_bytes() == before


def tamper(statement: str) -> None:
    """As somebody who owns the database would."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.django_db
class TestVerification:
    @pytest.fixture(autouse=True)
    def chained(self) -> None:
        look(5)
        chain_all()
        services.sign_checkpoint(at=make.NOON)

    def test_a_chain_that_holds(self) -> None:
        found = services.verify_chain(at=make.NOON)

        assert (found.fault, found.entries) == ("", Entry.objects.count())
        assert selectors.chain_state().verification == found
        assert list(answers.broken_chain(make.project(), make.NOON)) == []

    @pytest.mark.parametrize(
        ("statement", "fault"),
        [
            ("UPDATE audit_entry SET action = 'user.nothing' WHERE seq = {seq}", "entry_changed"),
            ("UPDATE audit_entry SET detail = '{{}}' WHERE seq = {seq}", "entry_changed"),
            ("UPDATE audit_entry SET created_at = now() WHERE seq = {seq}", "entry_changed"),
            ("UPDATE audit_link SET hash = repeat('0', 64) WHERE number = 3", "entry_changed"),
            ("DELETE FROM audit_link WHERE number = 3", "number_missing"),
            ("DELETE FROM audit_checkpoint", "file_disagrees"),
            ("UPDATE audit_checkpoint SET signature = 'AAAA'", "signature_wrong"),
        ],
    )
    def test_what_was_changed_is_found(self, statement: str, fault: str) -> None:
        seq = Link.objects.get(number=3).entry.seq

        tamper(statement.format(seq=seq))

        assert services.verify_chain(at=make.NOON).fault == fault
        (item,) = answers.broken_chain(make.project(), make.NOON)
        assert item.severity == "error"

    def test_a_past_that_was_cut_off_and_chained_anew_is_found_by_the_file(self) -> None:
        tamper("DELETE FROM audit_checkpoint; DELETE FROM audit_link")
        tamper("DELETE FROM audit_entry WHERE seq = (SELECT max(seq) FROM audit_entry)")
        chain_all()
        assert Checkpoint.objects.count() == 0

        assert services.verify_chain(at=make.NOON).fault == "file_disagrees"


@pytest.mark.django_db
class TestApi:
    def test_an_operator_exports_what_verifies_offline(self, client: Client) -> None:
        operator = make.user(is_operator=True)
        look(3)
        chain_all()
        services.sign_checkpoint(at=make.NOON)
        headers = make.bearer(operator)

        state = client.get("/api/v1/audit/chain", headers=headers).json()
        page = client.get("/api/v1/audit/chain/records", headers=headers).json()

        assert page["next"] is None
        verifier = wire.Verifier(key=state["checkpoint"]["public_key"])
        verifier.take(services.export_head())
        for record in page["records"]:
            verifier.take(record)
        assert verifier.verdict.holds, verifier.verdict.faults
        assert verifier.verdict.head == state["head"]

    @pytest.mark.parametrize("path", ["chain", "chain/records"])
    def test_others_are_refused(self, client: Client, path: str) -> None:
        answer = client.get(f"/api/v1/audit/{path}", headers=make.bearer(make.user()))

        assert answer.status_code == 403
        assert answer.json()["code"] == "operator_needed"
