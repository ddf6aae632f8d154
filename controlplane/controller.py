"""Runs the sweeps of every app: `python -m controlplane.controller`.

One controller leads, by an advisory lock on a connection of its own; the others wait for it to go.
Each sweep has a thread, so that one that hangs stalls no other, and runs every few seconds and when
its word comes by NOTIFY. Two leaders for a moment do no harm: every sweep may run twice.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import django
import psycopg

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
django.setup()

from django.db import connection, connections  # noqa: E402  what follows needs Django set up
from django.utils.module_loading import autodiscover_modules  # noqa: E402

from apps.common.sweeps import CHANNEL, SWEEPS, Sweep  # noqa: E402
from apps.fleet import services as fleet  # noqa: E402
from controlplane import celery  # noqa: E402, F401  orders are published through this app

log = logging.getLogger("controlplane.controller")

LEADER_LOCK = 0x4441544148414C4C  # "DATAHALL"
ASK_SECONDS = 1.0  # how often the one who waits asks for the lead
LISTEN_SECONDS = 0.5  # how soon an idle leader notices that it is to stop
STOP_SECONDS = 10.0  # for sweeps that are at work when it ends
LONGEST_PAUSE_SECONDS = 60.0
# a server that vanished without a word is noticed within half a minute
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "connect_timeout": 10,
}


class Controller:
    """Leads when it can, until it is stopped."""

    def __init__(self, sweeps: Iterable[Sweep], *, ready_file: Path | None = None) -> None:
        self._sweeps = list(sweeps)
        self._ready_file = ready_file
        self._stopping = threading.Event()
        self.leads = threading.Event()

    def stop(self) -> None:
        """End soon; may be called from a signal handler and from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Lead, or wait for the lead, until stopped."""
        while not self._stopping.is_set():
            try:
                with self._connected() as link:
                    if self._get_lead(link):
                        self._lead(link)
            except psycopg.OperationalError as error:
                log.warning("the database is away: %s", error)
                self._stopping.wait(ASK_SECONDS)

    @contextmanager
    def _connected(self) -> Iterator["psycopg.Connection[Any]"]:
        """A connection that belongs to the lock and to nobody's pool."""
        wanted = connection.get_connection_params() | KEEPALIVE
        with psycopg.connect(**wanted, autocommit=True) as link:
            yield link

    def _get_lead(self, link: "psycopg.Connection[Any]") -> bool:
        """Wait for the lock; False when stopped meanwhile."""
        waited = False
        while not self._stopping.is_set():
            asked = link.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
            if asked and asked[0]:
                return True
            if not waited:
                log.info("another controller leads; waiting for it to go")
                waited = True
            self._stopping.wait(ASK_SECONDS)
        return False

    def _lead(self, link: "psycopg.Connection[Any]") -> None:
        link.execute(f"LISTEN {CHANNEL}")
        threads = [SweepThread(sweep) for sweep in self._sweeps]
        try:
            for thread in threads:
                thread.start()
            self._say_that_it_leads()
            while not self._stopping.is_set():
                # a lost connection is a lost lead: it raises here
                for notice in link.notifies(timeout=LISTEN_SECONDS):
                    for thread in threads:
                        thread.wake_on(notice.payload)
        finally:
            self._step_down(threads)

    def _say_that_it_leads(self) -> None:
        self.leads.set()
        log.info("leads, with %d sweeps", len(self._sweeps))
        if self._ready_file:
            self._ready_file.write_text(f"{os.getpid()}\n")

    def _step_down(self, threads: list["SweepThread"]) -> None:
        self.leads.clear()
        if self._ready_file:
            self._ready_file.unlink(missing_ok=True)
        for thread in threads:
            thread.stop()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if late := [thread.name for thread in threads if thread.is_alive()]:
            log.warning("still at work: %s", ", ".join(late))


class SweepThread(threading.Thread):
    """Runs one sweep again and again; many calls while it is at work are one more run."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(name=sweep.name, daemon=True)
        self._sweep = sweep
        self._called = threading.Event()
        self._stopping = threading.Event()

    def wake_on(self, word: str) -> None:
        if word == self._sweep.wake:
            self._called.set()

    def stop(self) -> None:
        self._stopping.set()
        self._called.set()

    def run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._called.clear()  # before the run: a call from here on is for the next one
            failures = 0 if self._succeeds() else failures + 1
            if failures:
                # calls do not shorten this: what fails at every call would fail all the time
                pause = min(self._sweep.seconds * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS)
                self._stopping.wait(pause)
            else:
                self._called.wait(self._sweep.seconds)

    def _succeeds(self) -> bool:
        try:
            self._sweep.run()
        except Exception:
            log.exception("sweep %s failed", self._sweep.name)
            return False
        finally:
            with suppress(django.db.Error):
                connections.close_all()
        return True


def main() -> None:
    autodiscover_modules("sweeps")
    fleet.ensure_signing_key()
    ready_file = os.environ.get("DATAHALL_READY_FILE")
    controller = Controller(SWEEPS.values(), ready_file=Path(ready_file) if ready_file else None)

    def end(signum: int, frame: FrameType | None) -> None:
        controller.stop()

    # set by hand: a process started in the background inherits SIGINT as ignored
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    controller.run()


if __name__ == "__main__":
    main()
