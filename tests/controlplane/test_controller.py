"""One leader, a thread per sweep, woken by word. Connections and locks are real."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from apps.common.sweeps import SWEEPS, Sweep, wake
from controlplane.controller import LEADER_LOCK, Controller, SweepThread

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = 3600.0
WAIT = 20.0


class Counting:
    """A sweep that counts its runs and can be made to wait or to fail."""

    def __init__(self, name: str, *, seconds: float = NEVER, word: str | None = None) -> None:
        self.runs = 0
        self.ran = threading.Condition()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.fails = False
        self.sweep = Sweep(name, seconds, word, self.run)

    def run(self) -> None:
        with self.ran:
            self.runs += 1
            self.ran.notify_all()
        assert self.may_go_on.wait(WAIT)
        if self.fails:
            raise RuntimeError("made to fail")

    def wait_for(self, runs: int) -> None:
        with self.ran:
            assert self.ran.wait_for(lambda: self.runs >= runs, WAIT), self.runs


@contextmanager
def running(controller: Controller) -> Iterator[Controller]:
    thread = threading.Thread(target=controller.run)
    thread.start()
    try:
        yield controller
    finally:
        controller.stop()
        thread.join(WAIT)
        assert not thread.is_alive()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def end_leaders_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND (classid::bigint << 32 | objid::bigint) = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [LEADER_LOCK],
        )
        assert cursor.fetchall() == [(True,)]


class TestLeading:
    def test_runs_every_sweep_at_once_and_says_so(self, tmp_path: Path, caplog) -> None:
        ready = tmp_path / "ready"
        one, two = Counting("one"), Counting("two")
        with (
            caplog.at_level(logging.INFO),
            running(Controller([one.sweep, two.sweep], ready_file=ready)),
        ):
            one.wait_for(1)
            two.wait_for(1)
            until(ready.exists)

        assert not ready.exists()
        assert [r.message for r in caplog.records if "leads" in r.message] == [
            "leads, with 2 sweeps"
        ]

    def test_is_for_one_at_a_time_and_passes_on(self) -> None:
        first, second = Counting("first"), Counting("second")
        with running(Controller([first.sweep])) as leader:
            assert leader.leads.wait(WAIT)
            with running(Controller([second.sweep])) as heir:
                assert not heir.leads.wait(1.5)
                leader.stop()
                assert heir.leads.wait(WAIT)
                second.wait_for(1)

    def test_is_lost_with_the_connection_and_taken_up_again(self) -> None:
        sweep = Counting("sweep")
        with running(Controller([sweep.sweep])) as controller:
            assert controller.leads.wait(WAIT)
            sweep.wait_for(1)
            end_leaders_connection()
            sweep.wait_for(2)  # only a new lead runs it again so soon
            assert controller.leads.wait(WAIT)

    def test_of_one_that_lost_its_connection_passes_to_the_one_that_waits(self) -> None:
        sweeps = [Counting("a"), Counting("b")]
        with (
            running(Controller([sweeps[0].sweep])) as first,
            running(Controller([sweeps[1].sweep])) as second,
        ):
            until(lambda: first.leads.is_set() or second.leads.is_set())
            end_leaders_connection()
            until(lambda: sum(sweep.runs for sweep in sweeps) >= 2)
            until(lambda: first.leads.is_set() != second.leads.is_set())


class TestSweeps:
    def test_run_when_their_word_is_said_and_not_for_another(self) -> None:
        mine, other = Counting("mine", word="mine"), Counting("other", word="other")
        with running(Controller([mine.sweep, other.sweep])) as controller:
            assert controller.leads.wait(WAIT)
            mine.wait_for(1)
            other.wait_for(1)
            wake("mine")
            mine.wait_for(2)

        assert other.runs == 1

    def test_hear_their_word_once_the_transaction_holds(self) -> None:
        sweep = Counting("sweep", word="go")
        with running(Controller([sweep.sweep])) as controller:
            assert controller.leads.wait(WAIT)
            sweep.wait_for(1)
            with transaction.atomic():
                wake("go")
                assert sweep.runs == 1
            sweep.wait_for(2)

    def test_that_are_called_often_while_at_work_run_once_more(self) -> None:
        sweep = Counting("sweep", word="go")
        marker = Counting("marker", word="last")
        sweep.may_go_on.clear()
        with running(Controller([sweep.sweep, marker.sweep])) as controller:
            assert controller.leads.wait(WAIT)
            sweep.wait_for(1)
            marker.wait_for(1)
            for _ in range(50):
                wake("go")
            wake("last")
            marker.wait_for(2)  # so all fifty have been heard
            sweep.may_go_on.set()
            sweep.wait_for(2)
            wake("last")
            marker.wait_for(3)

        assert sweep.runs == 2

    def test_run_by_themselves_every_few_seconds(self) -> None:
        sweep = Counting("sweep", seconds=0.01)
        with running(Controller([sweep.sweep])):
            sweep.wait_for(5)

    def test_that_fail_are_told_of_and_stop_no_other(self, caplog) -> None:
        bad, good = Counting("bad", seconds=0.01), Counting("good", seconds=0.01)
        bad.fails = True
        with running(Controller([bad.sweep, good.sweep])):
            bad.wait_for(3)  # and it is tried again
            good.wait_for(5)

        assert "sweep bad failed" in caplog.text
        assert "made to fail" in caplog.text

    def test_that_fail_at_every_call_are_not_run_at_every_call(self) -> None:
        bad = Counting("bad", seconds=NEVER, word="go")
        marker = Counting("marker", word="go")
        bad.fails = True
        with running(Controller([bad.sweep, marker.sweep])) as controller:
            assert controller.leads.wait(WAIT)
            bad.wait_for(1)
            marker.wait_for(1)
            wake("go")
            marker.wait_for(2)

        assert bad.runs == 1

    def test_that_hang_stall_no_other_and_do_not_keep_it_from_stopping(self, monkeypatch) -> None:
        monkeypatch.setattr("controlplane.controller.STOP_SECONDS", 0.1)
        stuck, good = Counting("stuck"), Counting("good", seconds=0.01)
        stuck.may_go_on.clear()
        with running(Controller([stuck.sweep, good.sweep])):
            stuck.wait_for(1)
            good.wait_for(5)
        stuck.may_go_on.set()

    def test_give_their_connection_back(self) -> None:
        def ask() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            asked.release()

        asked = threading.Semaphore(0)
        # more threads than the pool has connections: each must have been given back
        sweeps = [Sweep(f"sweep-{n}", NEVER, None, ask) for n in range(20)]
        with running(Controller(sweeps)):
            for _ in sweeps:
                assert asked.acquire(timeout=WAIT)


class TestAThread:
    def test_ends_at_once_when_it_is_told_to(self) -> None:
        sweep = Counting("sweep")
        thread = SweepThread(sweep.sweep)
        thread.start()
        sweep.wait_for(1)
        thread.stop()
        thread.join(WAIT)

        assert not thread.is_alive()


class TestTheProcess:
    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        name = str(settings.DATABASES["default"]["NAME"])  # the test's, not the one in the URL
        url = os.environ["DATABASE_URL"].rpartition("/")[0]
        return os.environ | {
            "DATABASE_URL": f"{url}/{name}",
            "DJANGO_SETTINGS_MODULE": "controlplane.settings.test",
            "DATAHALL_READY_FILE": str(tmp_path / "controller.ready"),
            "DATAHALL_SIGNING_KEY": str(tmp_path / "signing.key"),
        }

    @pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
    def test_leads_and_stops_when_it_is_told_to(
        self, environment: dict[str, str], tmp_path: Path, sent: signal.Signals
    ) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "controlplane.controller"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            # as a script's background job has it
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        try:
            ready = tmp_path / "controller.ready"
            until(lambda: ready.exists() or process.poll() is not None)
            asked_at = time.monotonic()
            process.send_signal(sent)
            _, told = process.communicate(timeout=WAIT)
        finally:
            process.kill()

        assert process.returncode == 0, told
        assert "Traceback" not in told
        assert time.monotonic() - asked_at < WAIT
        assert not ready.exists()
        assert (tmp_path / "signing.key").exists()

    def test_knows_the_sweeps_of_every_app(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        autodiscover_modules("sweeps")

        assert {
            "fleet.sign_orders",
            "fleet.publish_orders",
            "fleet.mark_silent_nodes",
            "fleet.keep_broker_users_true",
        } <= set(SWEEPS)
