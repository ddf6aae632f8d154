import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from agents.node.database import Database
from agents.node.journal import Claim, Journal
from agents.node.spool import Spool
from agents.protocol.envelope import Order
from agents.protocol.link import MAX_FRAME_BYTES, WorkloadReport, encode_frame
from agents.protocol.specs import FileRef
from agents.protocol.workloads import WorkloadState

NOW = 1_800_000_000
WORKLOAD = UUID(int=1)


def order(op: Any = "start", *, fence: int = 7, workload: UUID = WORKLOAD, **more: Any) -> Order:
    whole = {
        "kid": "k",
        "aud": UUID(int=9),
        "seq": 1,
        "jti": uuid4(),
        "iat": NOW,
        "exp": NOW + 300,
        "op": op,
        "gang": UUID(int=8),
        "workload": workload,
        "fence": fence,
        "spec_sha256": "0" * 64,
    }
    return Order(**whole | more)


def report(state: WorkloadState = WorkloadState.RUNNING, **more: Any) -> WorkloadReport:
    whole = {"seq": 0, "workload": WORKLOAD, "fence": 7, "state": state, "at": 1.0}
    return WorkloadReport(**whole | more)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    one = Database(tmp_path / "agent.db")
    yield one
    one.close()


@pytest.fixture
def take(database: Database) -> Callable[..., Claim | None]:
    journal = Journal(database)

    def taken(order: Order) -> Claim | None:
        return journal.take(order, now=NOW)

    return taken


Take = Callable[[Order], Claim | None]


class TestTake:
    def test_claims_a_start_once_for_ever(self, database: Database, take: Take) -> None:
        claim = take(order())

        assert claim is not None
        assert claim.state is WorkloadState.ASSIGNED
        assert take(order()) is None  # another envelope for the same
        Journal(database).settle(claim)
        assert take(order()) is None

    def test_a_replayed_envelope_is_nothing_new(self, take: Take) -> None:
        start, stop = order(), order("stop")
        take(start)

        assert take(start) is None
        assert take(stop) is not None
        assert take(stop) is None

    def test_a_stop_is_noted_with_its_grace(self, database: Database, take: Take) -> None:
        take(order())

        claim = take(order("stop", grace_seconds=3.0))

        assert claim is not None
        assert claim.stop_grace_seconds == 3.0
        assert Journal(database).unsettled() == [claim]

    def test_a_stop_that_comes_first_keeps_the_start_out(self, take: Take) -> None:
        claim = take(order("stop"))

        assert claim is not None
        assert claim.stop_asked
        assert take(order()) is None

    def test_an_older_fence_is_ignored(self, take: Take) -> None:
        take(order(fence=7))

        assert take(order(fence=6)) is None
        assert take(order("stop", fence=6)) is None

    def test_a_newer_fence_waits_until_the_older_is_settled(
        self, database: Database, take: Take
    ) -> None:
        old = take(order(fence=7))
        new = order(fence=8)
        assert old is not None
        assert take(new) is None

        Journal(database).settle(old)

        claim = take(new)
        assert claim is not None
        assert claim.fence == 8

    def test_survives_being_killed(self, tmp_path: Path) -> None:
        code = """
import os, sys
from pathlib import Path
from agents.node.database import Database
from agents.node.journal import Journal
from tests.agents.node.test_journal import NOW, order, report
journal = Journal(Database(Path(sys.argv[1])))
journal.take(order(), now=NOW)
journal.move(report())
os.kill(os.getpid(), 9)
"""
        path = tmp_path / "agent.db"

        killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)

        assert killed.returncode == -signal.SIGKILL
        database = Database(path)
        (claim,) = Journal(database).unsettled()
        assert claim.state is WorkloadState.RUNNING
        assert [r.state for r in Spool(database).reports_after(0, 10)] == [WorkloadState.RUNNING]
        database.close()

    def test_is_its_owners_alone(self, database: Database, tmp_path: Path) -> None:
        assert os.stat(tmp_path / "agent.db").st_mode & 0o777 == 0o600


ROOT = Path(__file__).parents[3]


class TestSettle:
    def test_forgets_all_but_the_claim(self, database: Database, take: Take) -> None:
        journal = Journal(database)
        claim = take(order())
        assert claim is not None
        journal.move(report())
        journal.keep_positions({(WORKLOAD, "log"): 100})

        journal.settle(claim)

        assert journal.unsettled() == []
        assert not journal.has_reports(claim)
        assert journal.position(WORKLOAD, "log") == 0


class TestPositions:
    def test_only_rise(self, database: Database) -> None:
        journal = Journal(database)

        journal.keep_positions({(WORKLOAD, "log"): 100})
        journal.keep_positions({(WORKLOAD, "log"): 50})

        assert journal.position(WORKLOAD, "log") == 100
        assert journal.position(WORKLOAD, "metrics") == 0


class TestSpool:
    def test_keeps_reports_in_order_until_acknowledged(self, database: Database) -> None:
        journal, spool = Journal(database), Spool(database)
        sequence = [journal.move(report()) for _ in range(3)]

        assert [r.seq for r in spool.reports_after(0, 10)] == sequence
        spool.acknowledge(reports=sequence[1])
        assert [r.seq for r in spool.reports_after(0, 10)] == sequence[2:]

    def test_gives_no_more_reports_at_once_than_a_frame_takes(self, database: Database) -> None:
        journal, spool = Journal(database), Spool(database)
        names = [FileRef(path=f"{n:0200}", digest="0" * 64, size=1) for n in range(1700)]
        long = report(WorkloadState.SUCCEEDED, outputs=names)
        sequence = [journal.move(long) for _ in range(3)]

        through = 0
        for seq in sequence:
            some = spool.reports_after(through, 100)
            assert len(encode_frame(*some)) < MAX_FRAME_BYTES
            assert [r.seq for r in some] == [seq]
            through = seq

    def test_never_gives_a_sequence_twice(self, database: Database) -> None:
        journal, spool = Journal(database), Spool(database)
        first = journal.move(report())
        spool.acknowledge(reports=first)

        assert journal.move(report()) == first + 1

    def test_drops_the_oldest_blocks_and_counts_them(self, database: Database) -> None:
        spool = Spool(database, max_blocks=3)

        for start in range(5):
            spool.add_block(float(start), b"data")

        assert [block.start for block in spool.blocks_after(0, 10)] == [2.0, 3.0, 4.0]
        assert spool.dropped_blocks() == 2

    def test_resuming_forgets_what_was_stored_without_our_knowing(self, database: Database) -> None:
        journal, spool = Journal(database), Spool(database)
        sequence = [journal.move(report()) for _ in range(3)]

        spool.resume(reports=sequence[1], blocks=0)

        assert [r.seq for r in spool.reports_after(sequence[1], 10)] == sequence[2:]

    def test_a_younger_folder_goes_on_above_what_the_other_side_knows(
        self, database: Database
    ) -> None:
        journal, spool = Journal(database), Spool(database)
        for _ in range(2):
            journal.move(report())

        spool.resume(reports=100, blocks=0)

        assert [r.seq for r in spool.reports_after(100, 10)] == [101, 102]
        assert journal.move(report()) == 103


class TestEndsAreKept:
    """A control plane restored from a backup has forgotten what it acknowledged."""

    def test_and_told_again_to_one_that_knows_less(self, database: Database) -> None:
        journal, spool = Journal(database), Spool(database)
        for state in (WorkloadState.RUNNING, WorkloadState.FINISHING, WorkloadState.SUCCEEDED):
            last = journal.move(report(state))
        spool.acknowledge(reports=last)
        assert spool.reports_after(0, 10) == []

        spool.resume(reports=1, blocks=0)

        (told,) = spool.reports_after(1, 10)
        assert (told.seq, told.state) == (last, WorkloadState.SUCCEEDED)

    def test_and_not_told_to_one_that_knows(self, database: Database) -> None:
        journal, spool = Journal(database), Spool(database)
        last = journal.move(report(WorkloadState.SUCCEEDED))
        spool.acknowledge(reports=last)

        spool.resume(reports=last, blocks=0)

        assert spool.reports_after(0, 10) == []

    def test_in_a_file_of_an_older_agent(self, tmp_path: Path) -> None:
        path = tmp_path / "old.db"
        one = Database(path)
        with one.transaction() as cursor:
            cursor.execute("DROP TABLE told")
            cursor.execute("PRAGMA user_version = 1")
        one.close()

        again = Database(path)
        journal, spool = Journal(again), Spool(again)
        spool.acknowledge(reports=journal.move(report(WorkloadState.FAILED)))
        spool.resume(reports=0, blocks=0)

        assert len(spool.reports_after(0, 10)) == 1
        again.close()
