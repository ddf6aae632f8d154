"""A storm: faults at seeded moments of the lives of jobs, then the evidence.

The same seed makes the same faults in the same order, aimed at the same moments. What the machine
does in between is its own.
"""

import json
import queue
import random
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from tests.chaos import collect
from tests.chaos.client import Client, History
from tests.chaos.evidence import Evidence
from tests.chaos.faults import END, FAULTS, RUN, SUBMIT, Fault, Moment, plane_faults
from tests.chaos.site import SERVICES, NoTarget, Site
from tests.flows.installation import ROOT

GAP_SECONDS = (0.2, 0.6)  # between one fault and the wait for the next moment
MOMENT_SECONDS = 5.0  # that a moment is waited for
# from a moment to the blow: the later parts of it want to be hit too
LATE_SECONDS = {SUBMIT: 0.3, RUN: 1.0, END: 0.3}
LATE_FOR_PAYLOAD_SECONDS = 0.1  # it is there only a little longer than its last word
WATCH_SECONDS = 0.02
SAMPLE_SECONDS = 2.0
PUT_OFF = 4  # places that a fault without a target goes back in the plan
SETTLE_SECONDS = 180.0  # until it is given up; what is allowed is the checker's to say
ORPHAN_SECONDS = 30.0


@dataclass(frozen=True)
class Planned:
    fault: Fault
    phase: str


def plan(faults: Iterable[Fault], count: int, dice: random.Random) -> list[Planned]:
    """So many faults, each kind at each of its phases about as often as its share says."""
    cells = [Planned(fault, phase) for fault in faults for phase in fault.phases]
    shares = [cell for cell in cells for _ in range(cell.fault.share)]
    planned: list[Planned] = []
    while len(planned) < count:
        # every cell comes once before any comes again
        planned += (
            dice.sample(cells, len(cells)) if not planned else dice.sample(shares, len(cells))
        )
    return planned[:count]


class Storm:
    """One storm over one site; ``rage`` gives the evidence."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        *,
        seed: int,
        faults: int,
        jobs: int = 0,
        plane_stops: int = 2,
        plane_seconds: float = 5.0,
        kinds: Iterable[Fault] | None = None,
        tell: Any = None,
    ) -> None:
        self._site, self._folder, self._seed = site, folder, seed
        self._jobs = jobs
        self._tell = tell or (lambda text: None)
        self._dice = random.Random(seed)
        self._plan = plan(kinds or FAULTS.values(), faults, self._dice)
        self._place_plane_stops(plane_stops, plane_seconds)
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger = (folder / "faults.jsonl").open("a")
        self._faults: list[dict[str, Any]] = []
        self._samples: list[dict[str, Any]] = []
        self._moments: dict[str, queue.SimpleQueue[Moment]] = {
            phase: queue.SimpleQueue() for phase in (SUBMIT, RUN, END)
        }
        self._beats: list[dict[str, Any]] = []
        self._healing: list[tuple[float, Fault, dict[str, Any]]] = []
        self._over = threading.Event()
        self._history = History(folder / "history.jsonl")
        self._client = Client(
            site,
            self._history,
            seed=seed,
            on_submit=lambda key: self._moments[SUBMIT].put(Moment(SUBMIT, key)),
        )

    def rage(self) -> Evidence:
        began = time.time()
        watchers = [
            threading.Thread(target=self._watch, name="watch", daemon=True),
            threading.Thread(target=self._sample, name="sample", daemon=True),
        ]
        for watcher in watchers:
            watcher.start()
        self._client.start()
        try:
            self._strike_all()
            healed_at = time.monotonic()
            self._client.stop_submitting()
            settled = self._settle(healed_at)
            orphans = self._orphans()
        finally:
            self._client.stop()
            self._over.set()
            for watcher in watchers:
                watcher.join()
        self._beats += self._site.oracle.news()
        evidence = Evidence(
            meta={
                "seed": self._seed,
                "commit": _commit(),
                "began_at": began,
                "seconds": round(time.time() - began, 1),
                "settled_seconds": settled,
            },
            beats=self._beats,
            history=self._history.rows,
            faults=self._faults,
            samples=self._samples,
            nodes={"orphans": orphans, "folders": self._node_folders()},
        )
        try:
            collect.read_back(self._site, evidence)
        finally:
            evidence.save(self._folder)
            self._ledger.close()
            self._history.close()
        return evidence

    # --- striking ---------------------------------------------------------------------------------

    def _strike_all(self) -> None:
        put_off: Counter[Planned] = Counter()
        while self._plan or len(self._client.accepted) < self._jobs:
            if not self._plan:  # more jobs are wanted: more faults
                self._plan = plan(FAULTS.values(), 10, self._dice)
            planned = self._plan.pop(0)
            if not self._strike(planned):
                put_off[planned] += 1
                assert put_off[planned] < 50, f"{planned.fault.name} never finds its moment"
                self._plan.insert(PUT_OFF, planned)
            self._heal_due()
            time.sleep(self._dice.uniform(*GAP_SECONDS))
        self._heal_due(everything=True)

    def _strike(self, planned: Planned) -> bool:
        fault, phase = planned.fault, planned.phase
        moment = self._next_moment(phase)
        if moment is None:
            return False
        late = self._dice.uniform(0, LATE_SECONDS[phase])
        if fault.name in ("payload", "shim") and phase != SUBMIT:
            late = min(late, LATE_FOR_PAYLOAD_SECONDS)
        time.sleep(late)
        row = {"kind": fault.name, "phase": phase, "key": moment.key, "at": time.time()}
        try:
            said = fault.inject(self._site, moment, self._dice)
        except NoTarget:
            return False
        self._note(row | {"injected": True, "late": round(late, 3)} | said)
        if fault.heal is not None:
            if fault.stops_all:
                time.sleep(fault.lasts_seconds)
                fault.heal(self._site, said)
            else:
                due = time.monotonic() + fault.lasts_seconds
                self._healing.append((due, fault, said))
        return True

    def _next_moment(self, phase: str) -> Moment | None:
        """The next job that comes to this phase; who came earlier is over it."""
        moments = self._moments[phase]
        with suppress(queue.Empty):
            while True:
                moments.get_nowait()
        with suppress(queue.Empty):
            return moments.get(timeout=MOMENT_SECONDS)
        return None

    def _heal_due(self, *, everything: bool = False) -> None:
        for each in list(self._healing):
            due, fault, said = each
            if everything or time.monotonic() >= due:
                assert fault.heal is not None
                fault.heal(self._site, said)
                self._healing.remove(each)

    def _note(self, row: dict[str, Any]) -> None:
        self._faults.append(row)
        self._ledger.write(json.dumps(row) + "\n")
        self._ledger.flush()
        if len(self._faults) % 20 == 0:
            self._tell(f"{len(self._faults)} faults, {len(self._client.accepted)} jobs")

    def _place_plane_stops(self, count: int, seconds: float) -> None:
        """Spread over the storm, in turn; not at its very end, where nothing would be at work."""
        kinds = list(plane_faults(seconds).values())
        for number in range(count):
            fault = kinds[number % len(kinds)]
            at = len(self._plan) * (number + 1) // (count + 1)
            self._plan.insert(at, Planned(fault, RUN))

    # --- watching ---------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.is_set():
            for beat in self._site.oracle.news():
                self._beats.append(beat)
                phase = {"start": RUN, "end": END}.get(beat["what"])
                if phase is not None:
                    self._moments[phase].put(Moment(phase, beat["key"], beat["workload"]))
            self._over.wait(WATCH_SECONDS)

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            memory: Counter[str] = Counter()
            connections = None
            for part in (*SERVICES, "agent", "letterbox", "shim"):
                for process in self._site.processes(part):
                    with suppress(psutil.Error):
                        memory[part] = max(memory[part], process.memory_info().rss)
                        if part == "postgres":
                            connections = len(process.children())
            self._samples.append(
                {"at": time.time(), "memory": dict(memory), "connections": connections}
            )

    # --- settling ---------------------------------------------------------------------------------

    def _settle(self, healed_at: float) -> float | None:
        """Seconds until nothing is left to be done; None if that never comes."""
        while (seconds := time.monotonic() - healed_at) < SETTLE_SECONDS:
            with suppress(psycopg.Error, sqlite3.Error, httpx.HTTPError, NoTarget):
                if not (left := self._left()):
                    return round(seconds, 1)
            time.sleep(0.2)
        self._tell(f"it does not settle: {left}")
        return None

    def _left(self) -> list[str]:
        """What is still to be done, from outside."""
        left = [f"{self._client.alive()} jobs"] if self._client.alive() else []
        for name in SERVICES:
            self._site.process(name)
        for folder in self._node_folders():
            left += [
                f"{folder[name]} {name} of {folder['node']}"
                for name in ("claims", "reports", "workspaces")
                if folder[name]
            ]
        with self._site.postgres() as database:
            for what, count in collect.unfinished(database).items():
                if count:
                    left.append(f"{count} {what}")
        return left

    def _node_folders(self) -> list[dict[str, Any]]:
        return [
            {"node": name, **self._site.on_node(folder)}
            for name, folder in self._site.node_folders().items()
        ]

    def _orphans(self) -> list[dict[str, Any]]:
        """Shims and payloads that are still there when all is long over."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while (found := self._site.leftovers()) and time.monotonic() < deadline:
            time.sleep(0.2)
        told = []
        for process in found:
            with suppress(psutil.Error):
                told.append({"pid": process.pid, "command": " ".join(process.cmdline())[:300]})
        return told


def counts(evidence: Evidence) -> dict[str, Counter[str]]:
    """Faults that were really injected: by kind, and of each kind by phase."""
    found: dict[str, Counter[str]] = {}
    for fault in evidence.faults:
        if fault["injected"]:
            found.setdefault(fault["kind"], Counter())[fault["phase"]] += 1
    return found


def with_share(fault: Fault, share: int) -> Fault:
    return replace(fault, share=share)


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()
