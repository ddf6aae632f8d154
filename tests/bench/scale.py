"""A control plane and a simulated fleet on one machine: does it keep up, and does it come back?

``python -m tests.bench.scale --nodes 200 --gpus 8 --minutes 5 [--write]``

Runs `datahall up` and `datahall simulate` in folders of its own, keeps simulated jobs coming, and
asks what pages ask. First a steady stretch; then the web server is killed and every node has to
come back by itself. Afterwards it is counted whether a block of readings was lost.
"""

import argparse
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import psycopg
import redis
from websockets.sync.client import connect

from controlplane.cli.embedded.installation import Installation
from tests.flows.installation import ROOT, Up, api, until

DOCUMENT = ROOT / "docs" / "benchmarks" / "scale.md"
MARKS = "<!-- measured -->", "<!-- end -->"
PORT = 18480  # and the next: no outgoing connection is ever given these
PAGES = ("/nodes?limit=50", "/fleet/map", "/projects/default/jobs?limit=50")
SIMULATED = "simulated AND removed_at IS NULL"
SETTLE_SECONDS = 20.0
GOAL_AGE_SECONDS = 15.0
GOAL_FRESH_SECONDS = 90.0
GOAL_API_SECONDS = 1.0


@dataclass
class Seen:
    """What was observed while it ran."""

    ages: list[float] = field(default_factory=list)  # seconds since a node was heard of
    answers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0  # answers that were errors
    told: list[float] = field(default_factory=list)  # seconds until readings reached a page
    messages: int = 0

    def clear(self) -> None:
        self.ages.clear()
        self.answers.clear()
        self.told.clear()
        self.refused = self.messages = 0


class Bench:
    def __init__(self, folder: Path, nodes: int, gpus: int) -> None:
        self.folder, self.nodes, self.gpus = folder, nodes, gpus
        self.up = Up(folder / "state", PORT)
        self.ready = self.up.wait_until_ready()
        self.installation = Installation.open(folder / "state", port=None)
        self.seen = Seen()
        self._stopping = threading.Event()
        self._fleet: subprocess.Popen[bytes] | None = None

    # --- what runs --------------------------------------------------------------------------------

    def start_fleet(self) -> float:
        """Seconds until every node had joined and was heard of."""
        began = time.monotonic()
        self._fleet = subprocess.Popen(
            [
                *(sys.executable, "-m", "controlplane.cli", "simulate"),
                *("--nodes", str(self.nodes), "--gpus", str(self.gpus), "--job-seconds", "30"),
                *("--state", str(self.folder / "simulation")),
            ],
            cwd=ROOT,
            env=os.environ | {"DATAHALL_URL": self.ready["url"], "DATAHALL_TOKEN": self._token},
        )
        fresh = f"SELECT count(*) FROM fleet_node WHERE {SIMULATED} AND contact = 'fresh'"
        until(lambda: self.ask(fresh) == self.nodes, 600)
        return time.monotonic() - began

    def stop_fleet(self) -> None:
        assert self._fleet is not None
        self._fleet.send_signal(signal.SIGINT)
        self._fleet.wait(120)

    def close(self) -> None:
        self._stopping.set()
        if self._fleet is not None and self._fleet.poll() is None:
            self._fleet.kill()
        self.up.stop()

    @property
    def _token(self) -> str:
        return str(self.ready["token"])

    def ask(self, query: str) -> Any:
        """One value of the installation's database."""
        with psycopg.connect(self.installation.postgres.url()) as database:
            row = database.execute(query).fetchone()
        return row and row[0]

    def processes(self) -> dict[str, list[psutil.Process]]:
        """By what they are for; the simulator is none of the control plane's."""
        assert self._fleet is not None
        found: dict[str, list[psutil.Process]] = {"simulator": [psutil.Process(self._fleet.pid)]}
        for child in self.up.children():
            words = " ".join(child.cmdline())
            for name, mark in (
                ("web", "controlplane.asgi"),
                ("controller", "controlplane.controller"),
                ("worker", "celery"),
                ("gateway", "controlplane.gateway"),
                ("Valkey", "valkey"),
                ("Postgres", "postgres"),
            ):
                if mark in words:
                    found[name] = [child, *child.children(recursive=True)]
                    break
        return found

    # --- what is watched --------------------------------------------------------------------------

    @contextmanager
    def watching(self) -> Iterator[None]:
        parts = (self._watch_contact, self._ask_pages, self._watch_live, self._submit)
        threads = [threading.Thread(target=part, daemon=True) for part in parts]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(30)

    def _watch_contact(self) -> None:
        """How long ago each node was heard of, as the database has it, once a second."""
        query = (
            f"SELECT extract(epoch FROM now() - last_contact_at) FROM fleet_node WHERE {SIMULATED}"
        )
        with psycopg.connect(self.installation.postgres.url(), autocommit=True) as database:
            while not self._stopping.wait(1.0):
                self.seen.ages += [float(age) for (age,) in database.execute(query)]

    def _ask_pages(self) -> None:
        with api(self.ready) as client:
            while not self._stopping.wait(0.2):
                for page in PAGES:
                    began = time.monotonic()
                    try:
                        answer = client.get(page)
                    except httpx.TransportError:
                        continue  # killed on purpose: how long that lasts is measured elsewhere
                    self.seen.answers[page].append(time.monotonic() - began)
                    self.seen.refused += answer.is_error

    def _watch_live(self) -> None:
        """A page with the map open, which comes back when its socket is lost."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception:  # noqa: BLE001  # whatever a killed server does to a socket
                self._stopping.wait(0.5)

    def _listen(self) -> None:
        url = self.ready["url"].replace("http", "ws", 1) + "/live"
        headers = {"Authorization": f"Bearer {self._token}"}
        with connect(url, additional_headers=headers, open_timeout=10) as socket:
            socket.send(json.dumps({"watch": "fleet.live", "since": None}))
            while not self._stopping.is_set():
                frame = json.loads(socket.recv(timeout=10))
                if frame.get("topic") == "fleet.live":
                    self.seen.messages += 1
                    self.seen.told.append(time.time() - frame["body"]["at"])

    def _submit(self) -> None:
        """A job every two seconds, of half a minute and one GPU: some fifteen run at any time."""
        with api(self.ready) as client:
            body = b"raise SystemExit('this never runs')\n"
            made = {"filename": "main.py", "size": len(body)}
            upload = client.post("/projects/default/uploads", json=made).json()
            client.patch(
                httpx.URL(self.ready["url"]).join(upload["url"]),
                content=body,
                headers={"Upload-Offset": "0"},
            ).raise_for_status()
            client.post(f"/projects/default/uploads/{upload['id']}/finish").raise_for_status()
            job = {
                "kind": "script",
                "code": upload["id"],
                "entrypoint": "main.py",
                "resources": {"simulated": True, "device_count": 1},
            }
            while not self._stopping.wait(2.0):
                try:
                    client.post("/projects/default/jobs", json=job).raise_for_status()
                except httpx.HTTPError:
                    continue

    # --- what comes out ---------------------------------------------------------------------------

    def steady(self, seconds: float) -> dict[str, Any]:
        before, began = self._used(), time.monotonic()
        size = self.ask("SELECT pg_database_size(current_database())")
        self.seen.clear()
        suspects = self.suspects()
        time.sleep(seconds)
        took = time.monotonic() - began
        after = self._used()
        grown = self.ask("SELECT pg_database_size(current_database())") - size
        seen = self.seen
        return {
            "seconds": took,
            "cpu": {
                name: 100 * (cpu - before.get(name, (cpu, 0))[0]) / took
                for name, (cpu, _) in after.items()
            },
            "memory": {name: memory for name, (_, memory) in after.items()},
            "ages": list(seen.ages),
            "answers": {page: list(times) for page, times in seen.answers.items()},
            "refused": seen.refused,
            "told": list(seen.told),
            "messages_per_second": seen.messages / took,
            "grown_per_hour": grown * 3600 / took,
            "valkey": self._valkey_memory(),
            "suspects": self.suspects() - suspects,
            "load": os.getloadavg()[1],
        }

    def storm(self) -> dict[str, Any]:
        """Kill the web server; every node has to come back by itself."""
        suspects = self.suspects()
        self.seen.clear()
        at = time.time()
        began = time.monotonic()
        self.up.service("controlplane.asgi").kill()
        until(self.installation.is_ready, 120)
        back = time.monotonic() - began
        renewed = (
            f"SELECT count(*) FROM fleet_node WHERE {SIMULATED}"
            f" AND extract(epoch FROM last_contact_at) > {at + back}"
        )
        until(lambda: self.ask(renewed) == self.nodes, 300)
        fresh = time.monotonic() - began
        time.sleep(SETTLE_SECONDS)
        return {
            "back": back,
            "fresh": fresh,
            "oldest": max(self.seen.ages),
            "answers": {page: list(times) for page, times in self.seen.answers.items()},
            "suspects": self.suspects() - suspects,
        }

    def lost(self) -> dict[str, int]:
        """Blocks that nodes made, and where they are; asked when the simulator has left."""
        made = waiting = 0
        for path in (self.folder / "simulation" / "nodes").glob("*/agent.db"):
            with closing(sqlite3.connect(path)) as database:
                row = database.execute(
                    "SELECT seq FROM sqlite_sequence WHERE name = 'blocks'"
                ).fetchone()
                made += row[0] if row else 0
                waiting += database.execute("SELECT count(*) FROM blocks").fetchone()[0]
        stored = self.ask(
            "SELECT count(*) FROM telemetry_block WHERE node_id IN"
            f" (SELECT id FROM fleet_node WHERE {SIMULATED})"
        )
        # one may be stored and not yet known to be, and then it is in both places
        ahead = self.ask(
            f"SELECT coalesce(sum(blocks_through), 0) FROM fleet_node WHERE {SIMULATED}"
        )
        return {
            "made": made,
            "waiting": made - int(ahead),
            "stored": int(stored),
            "lost": int(ahead) - int(stored),
            "spooled": waiting,
        }

    def jobs(self) -> dict[str, int]:
        query = "SELECT state, count(*) FROM jobs_job GROUP BY state ORDER BY state"
        with psycopg.connect(self.installation.postgres.url()) as database:
            return dict(database.execute(query).fetchall())

    def suspects(self) -> int:
        return int(
            self.ask(
                "SELECT count(*) FROM fleet_nodeevent"
                " WHERE kind = 'contact' AND detail->>'to' = 'suspect'"
            )
        )

    def _used(self) -> dict[str, tuple[float, int]]:
        """CPU seconds and resident bytes by what it is for."""
        used: dict[str, tuple[float, int]] = {}
        for name, processes in self.processes().items():
            cpu, memory = 0.0, 0
            for process in processes:
                try:
                    times, info = process.cpu_times(), process.memory_full_info()
                except psutil.NoSuchProcess:
                    continue
                cpu += times.user + times.system
                memory += info.pss if hasattr(info, "pss") else info.rss
            used[name] = cpu, memory
        return used

    def _valkey_memory(self) -> int:
        with closing(redis.Redis.from_url(self.installation.valkey.url)) as client:
            return int(client.info("memory")["used_memory"])


def measure(nodes: int, gpus: int, minutes: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="datahall-scale-") as folder:
        bench = Bench(Path(folder), nodes, gpus)
        try:
            joined = bench.start_fleet()
            say(f"{nodes} nodes had joined after {joined:.0f} s")
            with bench.watching():
                time.sleep(SETTLE_SECONDS)
                steady = bench.steady(minutes * 60)
                say("the steady stretch is over; the web server is killed")
                storm = bench.storm()
            bench.stop_fleet()
            return {
                "joined": joined,
                "steady": steady,
                "storm": storm,
                "blocks": bench.lost(),
                "jobs": bench.jobs(),
            }
        finally:
            bench.close()


def table(found: dict[str, Any], nodes: int, gpus: int) -> str:
    steady, storm, blocks = found["steady"], found["storm"], found["blocks"]
    share = percentile_of(steady["ages"])
    slowest = {page: percentile_of(times)(99) for page, times in steady["answers"].items()}
    jobs = ", ".join(f"{count} {state}" for state, count in found["jobs"].items())
    kept = "kept" if share(99) <= GOAL_AGE_SECONDS else "MISSED"
    lines = [
        "| what | measured | goal |",
        "|---|---|---|",
        f"| all nodes joined | {found['joined']:.0f} s | |",
        f"| a node was last heard of, p50 / p99 / most | {share(50):.1f} / {share(99):.1f} / "
        f"{max(steady['ages']):.1f} s | p99 at most {GOAL_AGE_SECONDS:.0f} s: {kept} |",
        f"| nodes taken for silent, steady | {steady['suspects']} | 0 |",
        *(
            f"| `GET {page}`, p50 / p99 | {percentile_of(times)(50) * 1000:.0f} / "
            f"{slowest[page] * 1000:.0f} ms | p99 below {GOAL_API_SECONDS:.0f} s: "
            f"{'kept' if slowest[page] < GOAL_API_SECONDS else 'MISSED'} |"
            for page, times in steady["answers"].items()
        ),
        f"| answers that were errors | {steady['refused']} | 0 |",
        f"| readings on a page with the map, p50 / p99 after they were gathered | "
        f"{percentile_of(steady['told'])(50) * 1000:.0f} / "
        f"{percentile_of(steady['told'])(99) * 1000:.0f} ms, "
        f"{steady['messages_per_second']:.1f} messages/s | |",
        f"| the database grows by | {steady['grown_per_hour'] / 1e6:.0f} MB/h | |",
        f"| Valkey holds | {steady['valkey'] / 1e6:.1f} MB | |",
        f"| web killed: it answers again after | {storm['back']:.1f} s | 5 s |",
        f"| web killed: every node is heard of again after | {storm['fresh']:.1f} s | "
        f"{GOAL_FRESH_SECONDS:.0f} s |",
        f"| web killed: the longest that a node was silent | {storm['oldest']:.1f} s | 40 s |",
        f"| web killed: nodes taken for silent | {storm['suspects']} | 0 |",
        f"| blocks of readings: made / stored / still with the nodes / lost | {blocks['made']} / "
        f"{blocks['stored']} / {blocks['waiting']} / {blocks['lost']} | 0 lost |",
        f"| simulated jobs by state at the end | {jobs} | none failed |",
        "",
        "| process | CPU, of one core | memory (PSS) |",
        "|---|---|---|",
        *(
            f"| {name} | {cpu:.1f} % | {steady['memory'][name] / 1e6:.0f} MB |"
            for name, cpu in sorted(steady["cpu"].items(), key=lambda item: -item[1])
        ),
    ]
    return "\n".join(lines)


def percentile_of(values: list[float]) -> Callable[[float], float]:
    return lambda share: float(np.percentile(values, share)) if values else float("nan")


def write(text: str) -> None:
    before, _, rest = DOCUMENT.read_text("utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    DOCUMENT.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", "utf-8")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=5.0, help="of the steady stretch")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks/scale.md")
    chosen = parser.parse_args()
    busy = os.getloadavg()[0]
    found = measure(chosen.nodes, chosen.gpus, chosen.minutes)
    heading = (
        f"{chosen.nodes} nodes of {chosen.gpus} GPUs, {found['steady']['seconds'] / 60:.1f} min "
        f"steady, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs shared by simulator and "
        f"control plane, Python {platform.python_version()}, load average {busy:.1f} before and "
        f"{found['steady']['load']:.1f} at the end.\n"
    )
    text = f"{heading}\n{table(found, chosen.nodes, chosen.gpus)}"
    say(text)
    if chosen.write:
        write(text)


if __name__ == "__main__":
    main()
