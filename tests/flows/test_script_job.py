"""A script job, from outside: it runs, it is stopped, it crashes, it outlives the agent."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.flows.conftest import Installation, wait_for
from tests.flows.installation import payloads

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]

COUNTS = """
import json, os, sys, time
out, ticks = sys.argv[1], int(sys.argv[2])
with open(out + "/starts", "a") as starts:
    starts.write(f"{os.getpid()}\\n")
with open(os.environ["DATAHALL_METRICS_FILE"], "a", buffering=1) as metrics:
    for tick in range(ticks):
        print(f"line {tick}", flush=True)
        metrics.write(json.dumps({"name": "tick", "step": tick, "value": tick * 0.5}) + "\\n")
        time.sleep(0.02)
"""

MEETS = """
import os, sys, time
mine, theirs = sys.argv[1:]
open(mine, "w").close()
while not os.path.exists(theirs):
    time.sleep(0.02)
"""

HIDES = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
with open(sys.argv[1] + ".tmp", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


READS = """
import errno, json, sys
def read(path):
    try:
        open(path, "rb").read(1)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "read"
print(json.dumps({path: read(path) for path in sys.argv[1:]}))
"""


class TestIsolation:
    """F-13, F-14: what belongs to the installation is not there for a job."""

    def test_a_job_sees_nothing_of_its_installation(self, installation: Installation) -> None:
        isolation = installation.node()["isolation"]
        if isolation["profile"] == "none":
            pytest.skip(isolation["reason"]["text"])
        theirs = [
            str(path)
            for path in installation.state.rglob("*")
            if not path.is_dir() and "workloads" not in path.parts
        ]
        kinds = ("embedded.json", "node.key", "identity.json", "agent.db", "PG_VERSION")
        chosen = [path for path in theirs if path.endswith(kinds) or ".s.PGSQL" in path]
        assert len(chosen) > len(kinds) - 1

        job = installation.submit_script(READS, name="reads", arguments=chosen)
        installation.wait_until(job, "succeeded")

        assert set(json.loads(installation.log(job)).values()) == {"ENOENT"}


class TestScriptJob:
    def test_log_and_metrics_are_all_there(self, installation: Installation, shared: Path) -> None:
        job = installation.submit_script(COUNTS, name="counts", arguments=[str(shared), "50"])

        ended = installation.wait_until(job, "succeeded")

        assert installation.log(job) == "".join(f"line {tick}\n" for tick in range(50))
        points = installation.points(job, "tick")
        assert [point[:2] for point in points] == [[tick, tick * 0.5] for tick in range(50)]
        assert ended["run"]["exit_code"] == 0

    def test_survives_kill_9_of_the_agent(self, installation: Installation, shared: Path) -> None:
        job = installation.submit_script(COUNTS, name="survivor", arguments=[str(shared), "400"])
        wait_for(lambda: "line 20\n" in installation.log(job), "the log to move")
        agent = installation.agent_pid()
        assert agent is not None

        os.kill(agent, signal.SIGKILL)

        wait_for(lambda: installation.agent_pid() not in (None, agent), "another agent")
        installation.wait_until(job, "succeeded")
        assert (shared / "starts").read_text().count("\n") == 1
        assert installation.log(job) == "".join(f"line {tick}\n" for tick in range(400))
        steps = [point[0] for point in installation.points(job, "tick")]
        assert steps == list(range(400))

    def test_two_train_at_once_without_a_gpu(
        self, installation: Installation, shared: Path
    ) -> None:
        if (os.cpu_count() or 1) < 2:
            pytest.skip("one core holds one job of one core")
        one, two = str(shared / "one"), str(shared / "two")
        jobs = [
            installation.submit_script(MEETS, name="meets", arguments=[mine, theirs])
            for mine, theirs in ((one, two), (two, one))
        ]

        for job in jobs:
            installation.wait_until(job, "succeeded")

    def test_stop_ends_everything_it_started(
        self, installation: Installation, shared: Path
    ) -> None:
        pids = shared / "pids"
        job = installation.submit_script(HIDES, name="hides", arguments=[str(pids)])
        wait_for(pids.exists, "the script to start")
        processes = payloads(installation.state)
        assert len(processes) > 1

        installation.post(f"/projects/default/jobs/{job}/stop").raise_for_status()

        ended = installation.wait_until(job, "cancelled")
        assert not any(map(alive, processes))
        assert ended["reason"]["code"] == "stopped_by"

    def test_a_crash_shows_its_traceback_and_its_cause(self, installation: Installation) -> None:
        job = installation.submit_script("print('before')\n1 / 0\n", name="crashes")

        ended = installation.wait_until(job, "failed")

        assert ended["run"]["cause"] == "user_code"
        assert "ZeroDivisionError" in ended["reason"]["text"]
        assert "Traceback (most recent call last)" in installation.log(job)

    def test_more_than_any_node_has_is_refused_with_what_fits(
        self, installation: Installation
    ) -> None:
        node = installation.node()
        digest = "0" * 64

        answer = installation.post(
            "/projects/default/jobs",
            {
                "kind": "script",
                "code": digest,
                "entrypoint": "main.py",
                "resources": {"cpu_millis": node["cpu_millis"] + 1000},
            },
        )

        assert answer.status_code in (409, 422)
        assert answer.headers["content-type"].startswith("application/problem+json")
