"""Predictions per second, ours beside LitServe and Ray Serve, in one run and in turns.

``python -m tests.bench.serving --peers FOLDER [--rounds 5] [--seconds 3] [--write]``

The same small CNN with one torch thread, the same machine, loopback, wrk with one thread and the
same JSON body of [1, 1, 28, 28]. Ours answers with a key checked, the body checked against the
signature and every call metered, through a gateway process and a replica process. FOLDER holds a
virtual environment with the peers; it is made if it is not there.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
import venv
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

from tests.bench import plane
from tests.bench.load import Load, wrk
from tests.servers import free_port

CLIENTS = (1, 16, 64)
PEERS = Path(__file__).parent / "peers"
DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks" / "serving.md"
MARKS = "<!-- measured -->", "<!-- end -->"
REQUIREMENTS = ("litserve==0.2.19", "ray[serve]==2.60.0", "torch==2.13.0")
GOALS = {"LitServe": 8, "Ray Serve": 30}

JSON = {"Content-Type": "application/json"}
BINARY = {"Content-Type": "application/octet-stream"}


@dataclass
class Target:
    """Something that answers, and what it is sent."""

    url: str
    body: bytes
    headers: dict[str, str]
    cpu: Callable[[], float]  # seconds that all of its processes have used


def image() -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.random.default_rng(0).random((1, 1, 28, 28)).round(4).astype(np.float32)


def as_json() -> bytes:
    values = image().astype(float).round(4).tolist()
    return json.dumps({"inputs": {"image": values}}).encode()


@contextmanager
def ours() -> Iterator[dict[str, Target]]:
    with plane.serving() as served:
        pids = served.gateway_pid, served.replica_pid

        def cpu() -> float:
            return sum(used for pid, _, used in processes() if pid in pids)

        yield {
            "Datahall": Target(served.url, as_json(), served.headers | JSON, cpu),
            "Datahall, binary": Target(served.url, image().tobytes(), served.headers | BINARY, cpu),
        }


def processes() -> Iterator[tuple[int, int, float]]:
    """Every process, its session, and the CPU seconds it has used."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        yield int(stat.parent.name), int(fields[3]), used


def peer(python: Path, name: str, script: str, batch: int) -> Callable[[], object]:
    @contextmanager
    def started() -> Iterator[dict[str, Target]]:
        port = free_port()
        process = subprocess.Popen(
            [str(python), str(PEERS / script), str(port), str(batch)],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:

            def cpu() -> float:
                return sum(used for _, session, used in processes() if session == process.pid)

            target = Target(f"http://127.0.0.1:{port}/predict", as_json(), JSON, cpu)
            _until_answers(target, process)
            yield {name: target}
        finally:
            _end(process)

    return started


def _until_answers(target: Target, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            answer = httpx.post(target.url, content=target.body, headers=target.headers, timeout=10)
            if answer.status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise RuntimeError(f"{target.url} does not answer")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a server and whatever it has started: all are of its session."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    for pid, session, _ in processes():
        if session == process.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait(15)


def environment(folder: Path) -> Path:
    """The peers' Python; installed if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        say(f"installing {', '.join(REQUIREMENTS)} into {folder}")
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)
    subprocess.run([str(python), "-m", "compileall", "-q", str(folder / "lib")], check=False)
    return python


def measure(python: Path, rounds: int, seconds: float) -> dict[tuple[str, int], list[Load]]:
    """Every server in every round, one after the other, each freshly started and warmed up."""
    servers = [
        ours,
        peer(python, "LitServe", "lit_serve.py", 1),
        peer(python, "LitServe, batched", "lit_serve.py", 64),
        peer(python, "Ray Serve", "ray_serve.py", 1),
        peer(python, "Ray Serve, batched", "ray_serve.py", 64),
    ]
    measured: dict[tuple[str, int], list[Load]] = defaultdict(list)
    for number in range(rounds):
        for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
            with server() as targets:  # type: ignore[attr-defined]
                for name, target in targets.items():
                    url, body, headers = target.url, target.body, target.headers
                    wrk(url, body, headers, clients=16, seconds=2)
                    for clients in CLIENTS:
                        before, began = target.cpu(), time.monotonic()
                        load = wrk(url, body, headers, clients=clients, seconds=seconds)
                        answered = load.per_second * (time.monotonic() - began)
                        load.cpu_us = (target.cpu() - before) / max(answered, 1) * 1e6
                        measured[name, clients].append(load)
                        say(f"{number + 1}/{rounds} {name:20} {clients:3} clients: {load}")
    return measured


def table(measured: dict[tuple[str, int], list[Load]]) -> str:
    """Medians, and ratios of the best points."""
    names = list(dict.fromkeys(name for name, _ in measured))
    lines = [
        "| server | "
        + " | ".join(f"{clients} clients" for clients in CLIENTS)
        + " | CPU each | errors |",
        "|---|" + "---|" * (len(CLIENTS) + 2),
    ]
    best: dict[str, float] = {}
    cheapest: dict[str, float] = {}
    for name in names:
        cells = []
        for clients in CLIENTS:
            loads = measured[name, clients]
            rate = statistics.median(load.per_second for load in loads)
            low, high = min(x.per_second for x in loads), max(x.per_second for x in loads)
            p99 = statistics.median(load.p99_ms for load in loads)
            cells.append(f"{rate:,.0f}/s ({low:,.0f}-{high:,.0f}), p99 {p99:.1f} ms")
            best[name] = max(best.get(name, 0.0), rate)
        errors = sum(load.errors for clients in CLIENTS for load in measured[name, clients])
        cheapest[name] = min(
            statistics.median(load.cpu_us for load in measured[name, clients])
            for clients in CLIENTS
        )
        lines.append(f"| {name} | {' | '.join(cells)} | {cheapest[name]:,.0f} us | {errors} |")
    lines.append("")
    for rival, goal in GOALS.items():
        theirs = max(rate for name, rate in best.items() if name.startswith(rival))
        cpu = min(cost for name, cost in cheapest.items() if name.startswith(rival))
        lines.append(
            f"Datahall's best point is {best['Datahall'] / theirs:.1f} times {rival}'s best "
            f"(goal {goal}); a prediction costs {cpu / cheapest['Datahall']:.1f} times less CPU."
        )
    lines.append(f"Binary is {best['Datahall, binary'] / best['Datahall']:.2f} times our own JSON.")
    return "\n".join(lines)


def write(text: str) -> None:
    before, _, rest = DOCUMENT.read_text("utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    DOCUMENT.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", "utf-8")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="a virtual environment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks/serving.md")
    chosen = parser.parse_args()
    busy = os.getloadavg()
    measured = measure(environment(chosen.peers.absolute()), chosen.rounds, chosen.seconds)
    heading = (
        f"Medians of {chosen.rounds} rounds of {chosen.seconds:g} s (lowest and highest), "
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, load average before {busy[0]:.1f}.\n"
    )
    text = f"{heading}\n{table(measured)}"
    say(text)
    if chosen.write:
        write(text)


if __name__ == "__main__":
    main()
