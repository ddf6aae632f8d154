"""The oracle's payload: a job that writes down, outside the platform, what really happened to it.

Standard library only, run as a plain script job: ``payload.py ORACLE KEY SECONDS LINES POINTS``.
All that it leaves with the platform follows from its key, so that anybody can say afterwards what
has to be there. `tests.chaos.oracle` reads what it leaves in the oracle's folder:

``locks/<key>``   held as long as it lives: a second life of the same job cannot take it
``beats.jsonl``   appended to by all payloads: start, beat, end, and what went wrong
"""

import fcntl
import hashlib
import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Iterator

BEAT_SECONDS = 0.05
LINGER_SECONDS = 0.5  # between the last word and the exit: a moment in which it can be killed
OUTPUT_BYTES = 3000
RAN_TWICE = 99
METRIC = "oracle"


def log_lines(key: str, count: int) -> Iterator[str]:
    """Numbered lines, each with the checksum of all before it: none can go, come or change."""
    crc = zlib.crc32(key.encode())
    for number in range(count):
        body = f"{number} {key} {'*' * (number * 7 % 60)}"
        crc = zlib.crc32(body.encode(), crc)
        yield f"{body} {crc:08x}"


def metric_value(step: int) -> float:
    return step * 0.5 + 1


def output_bytes(key: str) -> bytes:
    """What the job leaves as its output."""
    blocks = (hashlib.sha256(f"{key}.{n}".encode()).digest() for n in range(OUTPUT_BYTES // 32 + 1))
    return b"".join(blocks)[:OUTPUT_BYTES]


class Witness:
    """Writes to the oracle; one line is one write, so that lines of several payloads stay whole."""

    def __init__(self, folder: str, key: str, workload: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(os.path.join(folder, "beats.jsonl"), flags, 0o666)
        self._of = {"key": key, "workload": workload, "pid": os.getpid()}
        self.lines = self.points = 0

    def tell(self, what: str) -> None:
        line = {
            "what": what,
            **self._of,
            "t": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            "at": time.time(),
            "lines": self.lines,  # written to the end: what the platform has to have some day
            "points": self.points,
        }
        os.write(self._file, (json.dumps(line) + "\n").encode())


def main(folder: str, key: str, seconds: float, lines: int, points: int) -> int:
    # the only thing that names a run to its program is the path it was given
    metrics = os.environ["DATAHALL_METRICS_FILE"]
    workload = os.path.basename(os.path.dirname(metrics))
    witness = Witness(folder, key, workload)
    lock = os.open(os.path.join(folder, "locks", key), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        witness.tell("double")
        return RAN_TWICE

    def end(number: int, frame: object) -> None:
        witness.tell("term")
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    witness.tell("start")
    began = time.monotonic()
    to_metrics = os.open(metrics, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    all_lines = log_lines(key, lines)
    beat_due = began
    share = 0.0
    while share < 1:
        now = time.monotonic()
        share = min(1.0, (now - began) / seconds) if seconds else 1.0
        while witness.lines < lines * share:
            os.write(1, (next(all_lines) + "\n").encode())
            witness.lines += 1
        while witness.points < points * share:
            point = {"name": METRIC, "step": witness.points, "value": metric_value(witness.points)}
            os.write(to_metrics, (json.dumps(point) + "\n").encode())
            witness.points += 1
        if now >= beat_due:
            beat_due = now + BEAT_SECONDS
            witness.tell("beat")
        time.sleep(BEAT_SECONDS / 5)
    with open(os.path.join(os.environ["DATAHALL_OUTPUTS"], "bytes.bin"), "wb") as file:
        file.write(output_bytes(key))
    witness.tell("end")
    time.sleep(LINGER_SECONDS)
    return 0


if __name__ == "__main__":
    oracle, name, for_seconds, of_lines, of_points = sys.argv[1:]
    sys.exit(main(oracle, name, float(for_seconds), int(of_lines), int(of_points)))
