import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from agents.protocol.link import DeviceProcess
from agents.telemetry import processes
from agents.telemetry.processes import Owners


@contextmanager
def running(environment: dict[str, str]) -> Iterator[int]:
    """A real process that waits, with nothing but this environment."""
    waits = "import sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", waits],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout
        child.stdout.readline()
        yield child.pid
    finally:
        child.communicate()


def named(folder: Path, pid: int) -> DeviceProcess:
    (told,) = Owners(folder).named([DeviceProcess(device="GPU-1", pid=pid)])
    return told


class TestOwners:
    def test_know_a_workloads_process_by_its_folder(self, tmp_path: Path) -> None:
        workload = uuid4()
        metrics = tmp_path / str(workload) / "metrics.jsonl"
        with running({"A": "b", "DATAHALL_METRICS_FILE": str(metrics)}) as pid:
            told = named(tmp_path, pid)

        assert told.workload == workload
        assert told.name.startswith("python")

    def test_take_all_others_for_strangers(self, tmp_path: Path) -> None:
        for metrics in (
            None,
            "",
            str(tmp_path / "no-uuid" / "metrics.jsonl"),
            f"/of/another/agent/{uuid4()}/metrics.jsonl",
        ):
            environment = {} if metrics is None else {"DATAHALL_METRICS_FILE": metrics}
            with running(environment) as pid:
                assert named(tmp_path, pid).workload is None

    def test_say_nothing_of_one_that_is_gone(self, tmp_path: Path) -> None:
        with running({}) as pid:
            pass

        assert (named(tmp_path, pid).name, named(tmp_path, pid).workload) == ("", None)

    def test_tell_those_with_the_most_memory_if_there_are_too_many(self, tmp_path: Path) -> None:
        many = [
            DeviceProcess(device="GPU-1", pid=os.getpid(), memory_used_bytes=n)
            for n in range(processes.MOST_PROCESSES + 5)
        ]

        told = Owners(tmp_path).named(many)

        assert len(told) == processes.MOST_PROCESSES
        assert told[0].memory_used_bytes == len(many) - 1
