"""Judges a storm: ``python -m tests.chaos.checker FOLDER``.

Each invariant is a function from the evidence to what violates it, one sentence each. Nothing here
asks the platform: what it said is in the evidence, beside what the oracle and the client saw.
"""

import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from agents.protocol.workloads import WorkloadState
from tests.chaos import oracle, payload
from tests.chaos.evidence import Evidence, Row

ENDED = ("succeeded", "failed", "cancelled")
SETTLE_SECONDS = 60.0
ORPHAN_SECONDS = 30.0
CLOCK_SECONDS = 1.0  # between what the oracle and what the platform calls the same moment
# a process that is asked much and long must stay far below these
MOST_MEMORY = {"agent": 256 * 2**20, "shim": 64 * 2**20, "letterbox": 256 * 2**20}
MOST_MEMORY_OF_OTHERS = 768 * 2**20
MOST_CONNECTIONS = 80

Check = Callable[[Evidence], Iterator[str]]
CHECKS: dict[str, Check] = {}


def invariant(name: str) -> Callable[[Check], Check]:
    """Register a check; several may belong to one invariant: I3, I3.log."""

    def register(check: Check) -> Check:
        assert name not in CHECKS, name
        CHECKS[name] = check
        return check

    return register


def violations(evidence: Evidence) -> list[str]:
    """Everything that was broken, each with the name of its invariant."""
    return [f"{name}: {what}" for name, check in CHECKS.items() for what in check(evidence)]


# --- I1: no accepted job is lost -----------------------------------------------------------------


@invariant("I1")
def every_accepted_job_ends(evidence: Evidence) -> Iterator[str]:
    """What was answered with 201 exists and reaches an end."""
    known = {job["id"]: job for job in evidence.jobs}
    for row in _accepted(evidence):
        job = known.get(row["job"])
        if job is None:
            yield f"job {row['job']} ({row['key']}) was accepted and is gone"
    for job in evidence.jobs:
        if job["state"] not in ENDED:
            yield f"job {job['id']} ({job['name']}) is still {job['state']}"


@invariant("I1.once")
def every_key_is_one_job(evidence: Evidence) -> Iterator[str]:
    """However often a submission was sent, it made one job; what was never sent made none."""
    sent = {row["key"] for row in evidence.history if row["op"] == "submit"}
    answered: dict[str, set[str]] = defaultdict(set)
    for row in _accepted(evidence):
        answered[row["key"]].add(row["job"])
    for key, jobs in answered.items():
        if len(jobs) > 1:
            yield f"submission {key} was answered with {len(jobs)} jobs: {sorted(jobs)}"
    made = Counter(row["name"] for row in evidence.rows("jobs"))
    for key, count in made.items():
        if count > 1:
            yield f"submission {key} made {count} jobs"
        if key not in sent:
            yield f"job {key} was never submitted"
    for row in evidence.history:
        if row["op"] == "reuse" and row["status"] is not None and row["status"] != 422:
            yield f"key {row['key']} with another body was answered {row['status']}, not 422"


@invariant("I1.why")
def failures_have_a_cause(evidence: Evidence) -> Iterator[str]:
    """A job fails only if somebody killed its payload; all else is tried again until it works."""
    for job in evidence.jobs:
        if job["state"] != "failed":
            continue
        last = job["runs"][-1]
        if "payload" not in evidence.faults_of.get(last["workload"], []):
            yield f"job {job['id']} ({job['name']}) failed, and nobody touched it: {last['reason']}"


# --- I2: at most one live payload per job --------------------------------------------------------


@invariant("I2")
def no_job_runs_twice_at_once(evidence: Evidence) -> Iterator[str]:
    for beat in evidence.beats:
        if beat["what"] == "double":
            yield f"{beat['key']}: workload {beat['workload']} found another life at work"
    for key, lives in oracle.by_key(evidence.lives).items():
        for one, other in pairwise(lives):
            if other.started_ns < one.last_ns:
                yield f"{key}: workloads {one.workload} and {other.workload} lived at once"


@invariant("I2.start")
def no_workload_starts_twice(evidence: Evidence) -> Iterator[str]:
    starts = Counter(beat["workload"] for beat in evidence.beats if beat["what"] == "start")
    for workload, count in starts.items():
        if count > 1:
            yield f"workload {workload} was started {count} times"
        if evidence.database and workload not in evidence.workloads:
            yield f"workload {workload} ran, and the control plane does not know it"


@invariant("I2.success")
def success_is_of_a_life_that_ended_well(evidence: Evidence) -> Iterator[str]:
    for job, run in _runs(evidence):
        if run["state"] == "succeeded":
            life = evidence.life_of.get(run["workload"])
            if life is None or not life.ended:
                yield f"{job['name']}: run {run['number']} succeeded, and its payload did not end"


# --- I3: what was acknowledged is there, unchanged -----------------------------------------------


@invariant("I3.log")
def logs_are_whole(evidence: Evidence) -> Iterator[str]:
    for job, run in _runs(evidence):
        key, where = job["name"], f"{job['name']} run {run['number']}"
        life = evidence.life_of.get(run["workload"])
        expected = "".join(f"{line}\n" for line in payload.log_lines(key, _lines(job)))
        if run["state"] == "succeeded":
            if run["log"] != expected:
                yield f"{where}: the log differs from what was written ({_differ(run, expected)})"
            continue
        # what dies half-way leaves its beginning; a runner that could not begin has its own words
        if life is None:
            continue
        if not expected.startswith(run["log"]):
            yield f"{where}: the log is no beginning of what was written ({_differ(run, expected)})"
        elif not _shim_was_killed(evidence, run) and run["log"].count("\n") < life.lines:
            yield f"{where}: {life.lines} lines were written, {run['log'].count(chr(10))} are there"


@invariant("I3.metrics")
def points_are_counted(evidence: Evidence) -> Iterator[str]:
    for job, run in _runs(evidence):
        points, where = run["points"], f"{job['name']} run {run['number']}"
        expected = [[step, payload.metric_value(step)] for step in range(len(points))]
        if [point[:2] for point in points] != expected:
            yield f"{where}: the points are not those that were written, each once"
        life = evidence.life_of.get(run["workload"])
        if run["state"] == "succeeded" and len(points) != _points(job):
            yield f"{where}: {_points(job)} points were written, {len(points)} are there"
        elif life is not None and run["ended_at"] and len(points) < life.points:
            yield f"{where}: {life.points} points were written, {len(points)} are there"


@invariant("I3.output")
def outputs_are_what_was_written(evidence: Evidence) -> Iterator[str]:
    for job, run in _runs(evidence):
        if run["state"] == "succeeded":
            digest = hashlib.sha256(payload.output_bytes(job["name"])).hexdigest()
            if run["outputs"] != {"bytes.bin": digest}:
                yield f"{job['name']} run {run['number']}: outputs are {run['outputs']}"


@invariant("I3.seen")
def what_was_read_stays_true(evidence: Evidence) -> Iterator[str]:
    """A log that a client once read is the beginning of the log that is there at the end."""
    final = {(job["id"], run["number"]): run["log"].encode() for job, run in _runs(evidence)}
    for row in evidence.history:
        if row["op"] == "log" and row["status"] == 200:
            log = final.get((row["job"], row["run"]))
            if log is None or hashlib.sha256(log[: row["size"]]).hexdigest() != row["sha256"]:
                where = f"job {row['job']} run {row['run']}"
                yield f"{where}: {row['size']} bytes once read are changed"


@invariant("I3.sizes")
def sizes_agree(evidence: Evidence) -> Iterator[str]:
    """What the node said was written is what is stored, to the byte."""
    stored = {(row["workload_id"], row["kind"]): row["offset"] for row in evidence.rows("streams")}
    for row in evidence.rows("workloads"):
        for kind, told in (("log", row["log_bytes"]), ("metrics", row["metrics_bytes"])):
            if row["state"] != "lost" and told and stored.get((row["id"], kind), 0) != told:
                yield (
                    f"workload {row['id']}: {told} bytes of {kind} were written,"
                    f" {stored.get((row['id'], kind), 0)} are stored"
                )


# --- I4: states move along the table, and ends are final -----------------------------------------


@invariant("I4")
def moves_are_legal(evidence: Evidence) -> Iterator[str]:
    moves: dict[str, list[WorkloadState]] = defaultdict(list)
    for row in evidence.rows("events"):  # in the order in which they were written
        moves[row["workload_id"]].append(WorkloadState(row["state"]))
    for workload, states in moves.items():
        for before, after in pairwise(states):
            # another reason to wait is told as the same state
            if after is not before and not before.may_become(after):
                yield f"workload {workload} went from {before} to {after}"
            elif before.is_final:
                yield f"workload {workload} went on after {before}"
        row = evidence.workloads.get(workload)
        if row is not None and states[-1] != row["state"]:
            yield f"workload {workload} is {row['state']}, and was last told to be {states[-1]}"


@invariant("I4.seen")
def ends_are_final(evidence: Evidence) -> Iterator[str]:
    """A job that a client saw over was never seen otherwise again."""
    over: dict[str, str] = {}
    for row in sorted(evidence.history, key=lambda row: row["sent_at"]):
        for job, state in (row.get("states") or {}).items():
            if job in over and state != over[job]:
                yield f"job {job} was {over[job]}, and {state} later"
            if state in ENDED:
                over[job] = state
    for job in evidence.jobs:
        if job["id"] in over and job["state"] != over[job["id"]]:
            yield f"job {job['id']} was {over[job['id']]}, and is {job['state']}"


# --- I5: room and devices ------------------------------------------------------------------------


@invariant("I5")
def nothing_is_held_in_the_end(evidence: Evidence) -> Iterator[str]:
    for row in evidence.rows("nodes"):
        if row["reserved_cpu_millis"] or row["reserved_memory_bytes"]:
            yield f"node {row['name']} still holds {row['reserved_cpu_millis']} millicores"
    for row in evidence.rows("leases"):
        if row["ended_at"] is None:
            yield f"device {row['device_id']} is still leased to workload {row['workload_id']}"


@invariant("I5.once")
def no_device_is_in_two_hands(evidence: Evidence) -> Iterator[str]:
    leases: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.rows("leases"):
        leases[row["device_id"]].append(row)
    for device, rows in leases.items():
        rows.sort(key=lambda row: row["created_at"])
        for one, other in pairwise(rows):
            if one["ended_at"] is None or other["created_at"] < one["ended_at"]:
                both = f"{one['workload_id']} and {other['workload_id']}"
                yield f"device {device} was leased to {both}"


# --- I6, I7: it settles, and leaves nothing behind -----------------------------------------------


@invariant("I6")
def it_settles(evidence: Evidence) -> Iterator[str]:
    seconds = evidence.meta.get("settled_seconds")
    if seconds is None:
        yield "it never settled"
    elif seconds > SETTLE_SECONDS:
        yield f"it took {seconds:.0f} s to settle"


@invariant("I7")
def no_orphans(evidence: Evidence) -> Iterator[str]:
    for process in evidence.nodes.get("orphans", []):
        yield f"process {process['pid']} is left behind: {process['command']}"
    for life in evidence.lives:
        row = evidence.workloads.get(life.workload)
        if row is not None and row["ended"] and life.last_at > row["ended"] + ORPHAN_SECONDS:
            late = life.last_at - row["ended"]
            yield f"workload {life.workload} lived {late:.0f} s after its end"


@invariant("I7.folders")
def nodes_are_tidy(evidence: Evidence) -> Iterator[str]:
    for folder in evidence.nodes.get("folders", []):
        for name in ("claims", "reports", "workspaces"):
            if folder[name]:
                yield f"{folder['node']} is left with {folder[name]} {name}"
    unsettled = [row for row in evidence.rows("outbox") if row["settled_at"] is None]
    if unsettled:
        yield f"{len(unsettled)} orders are not settled: {unsettled[0]}"


# --- I8: what is accounted is what was used ------------------------------------------------------


@invariant("I8")
def the_books_cover_what_ran(evidence: Evidence) -> Iterator[str]:
    """Every moment in which a payload lived lies within its workload's, and within its leases."""
    leases: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.rows("leases"):
        leases[row["workload_id"]].append(row)
    for life in evidence.lives:
        row = evidence.workloads.get(life.workload)
        if row is None:
            continue
        spans = [("run", row["started"], row["freed"])]
        spans += [("lease", each["created_at"], each["ended_at"]) for each in leases[life.workload]]
        for what, begin, end in spans:
            if begin is None or life.started_at < begin - CLOCK_SECONDS:
                yield f"workload {life.workload} lived before its {what} began"
            if end is not None and life.last_at > end + CLOCK_SECONDS:
                yield f"workload {life.workload} lived {life.last_at - end:.1f} s past its {what}"


# --- I9: the audit -------------------------------------------------------------------------------


@invariant("I9")
def every_job_is_audited_once(evidence: Evidence) -> Iterator[str]:
    told = Counter(
        row["object_id"] for row in evidence.rows("audit") if row["action"] == "job.submit"
    )
    for row in evidence.rows("jobs"):
        if told[row["id"]] != 1:
            yield f"the submission of job {row['id']} is audited {told[row['id']]} times"
    for fault in evidence.meta.get("audit_faults", []):
        yield f"the chain of the audit is broken: {fault}"


# --- I10: bounds ---------------------------------------------------------------------------------


@invariant("I10")
def parts_stay_within_bounds(evidence: Evidence) -> Iterator[str]:
    worst: dict[str, int] = {}
    for sample in evidence.samples:
        for part, size in sample["memory"].items():
            worst[part] = max(worst.get(part, 0), size)
    for part, size in worst.items():
        if size > MOST_MEMORY.get(part, MOST_MEMORY_OF_OTHERS):
            yield f"{part} took {size / 2**20:.0f} MiB"
    connections = max((sample.get("connections") or 0 for sample in evidence.samples), default=0)
    if connections > MOST_CONNECTIONS:
        yield f"Postgres had {connections} connections"


# --- helpers -------------------------------------------------------------------------------------


def _accepted(evidence: Evidence) -> list[Row]:
    return [row for row in evidence.history if row["op"] == "submit" and row["status"] == 201]


def _runs(evidence: Evidence) -> Iterator[tuple[Row, Row]]:
    for job in evidence.jobs:
        for run in job["runs"]:
            yield job, run


def _lines(job: Row) -> int:
    return int(job["arguments"][3])


def _points(job: Row) -> int:
    return int(job["arguments"][4])


def _shim_was_killed(evidence: Evidence, run: Row) -> bool:
    """Then what lay in its pipe was never written down, nor acknowledged."""
    return "shim" in evidence.faults_of.get(run["workload"], [])


def _differ(run: Row, expected: str) -> str:
    at = next(
        (n for n, (a, b) in enumerate(zip(run["log"], expected, strict=False)) if a != b),
        min(len(run["log"]), len(expected)),
    )
    found, wanted = run["log"][at : at + 60], expected[at : at + 60]
    return f"at {at} of {len(run['log'])}: {found!r}, not {wanted!r}"


def summary(evidence: Evidence) -> Row:
    """The figures of a storm."""
    injected = [fault for fault in evidence.faults if fault["injected"]]
    broken = violations(evidence)
    of = Counter(what.split(":")[0].split(".")[0] for what in broken)
    return {
        "seed": evidence.meta.get("seed"),
        "commit": evidence.meta.get("commit"),
        "faults": len(injected),
        "jobs": len(evidence.jobs),
        "runs": sum(len(job["runs"]) for job in evidence.jobs),
        "lost": of["I1"],
        "run_twice": of["I2"],
        "acked_lost": of["I3"],
        "leaked": of["I5"],
        "orphans": of["I7"],
        "settled_seconds": evidence.meta.get("settled_seconds"),
        "seconds": evidence.meta.get("seconds"),
        "violations": broken,
    }


def main(folder: Path) -> int:
    evidence = Evidence.load(folder)
    told = summary(evidence)
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 1 if told["violations"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
