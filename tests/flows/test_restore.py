"""The drill: an installation is destroyed, and built again from a backup that its nodes outran."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.cli.embedded.service import dies_with_parent
from tests.flows.conftest import Installation, wait_for
from tests.flows.installation import ROOT, Up, until
from tests.servers import free_port

pytestmark = [pytest.mark.xdist_group("restore"), pytest.mark.timeout(600)]

FULL = os.environ.get("DATAHALL_DRILL") == "full"  # with a model that is trained and served
SMALL = {"cpu_millis": 100, "memory_bytes": 64 * 1024 * 1024}
RUNS_UNTIL_TOLD = """
import os, sys, time
folder, name = sys.argv[1:]
with open(f"{folder}/{name}.starts", "a") as starts:
    starts.write("x")
n = 0
while not os.path.exists(f"{folder}/{name}.end"):
    print("line", n, flush=True)
    n += 1
    time.sleep(0.1)
print("the end", flush=True)
"""
LEAVES_A_FILE = """
import os
with open(os.environ["DATAHALL_OUTPUTS"] + "/result.txt", "w") as file:
    file.write("kept " * 1000)
"""


class Drill:
    """Two lives of one installation, and the agent of a second host that lives through both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told = folder / "told"  # what payloads and the test tell one another
        self.told.mkdir()
        self.port = free_port()
        self.agent: subprocess.Popen[bytes] | None = None
        self.ups: list[Up] = []
        self.here: Installation

    def start(self, state: Path) -> None:
        up = Up(state, self.port, shared=self.told)
        self.ups.append(up)
        ready = up.wait_until_ready()
        self.here = Installation(state, ready["url"], ready["token"])

    def join(self) -> None:
        """An agent as on another host: without a lifeline, with a folder of its own."""
        state = self.folder / "far"
        token = self.here.post("/nodes/join-tokens").json()["token"]
        node = [sys.executable, "-m", "agents.node"]
        joining = [*node, "join", self.here.url, token, "--state", str(state), "--name", "far"]
        subprocess.run(joining, cwd=ROOT, check=True, capture_output=True)
        with (self.folder / "far.out").open("wb") as output:
            self.agent = subprocess.Popen(
                [*node, "run", "--state", str(state), "--share", f"{self.told}:rw"],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )
        wait_for(lambda: self.node("far")["contact"] == "fresh", "the far agent")

    def node(self, name: str) -> dict[str, Any]:
        nodes = self.here.get("/nodes")["results"]
        return next(node for node in nodes if node["name"] == name)

    def act(self, name: str, verb: str) -> None:
        self.here.post(f"/nodes/{self.node(name)['id']}/{verb}").raise_for_status()

    def submit(self, name: str) -> str:
        return self.here.submit_script(
            RUNS_UNTIL_TOLD, name=name, arguments=[str(self.told), name], resources=SMALL
        )

    def begun(self, name: str) -> None:
        wait_for((self.told / f"{name}.starts").exists, f"{name} to start")

    def end(self, name: str) -> None:
        (self.told / f"{name}.end").touch()

    def starts(self, name: str) -> int:
        return len((self.told / f"{name}.starts").read_text())

    def log_has(self, job: str, text: str) -> bool:
        return text in self.here.log(job)

    def close(self) -> None:
        for up in self.ups:
            up.stop(signal.SIGKILL)
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait(30)
        for up in self.ups:
            until(lambda up=up: not up.left())


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    made = Drill(tmp_path)
    yield made
    made.close()


def command(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "controlplane.cli", *words, "--json"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "DATAHALL_STATE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


class TestDrill:
    def test_nothing_of_the_backup_is_lost_and_nothing_runs_twice(
        self, drill: Drill, tmp_path: Path
    ) -> None:
        first, second, kept = tmp_path / "first", tmp_path / "second", tmp_path / "backups"
        drill.start(first)
        here = drill.here
        demo = json.loads(here.cli("demo", "--json").stdout) if FULL else None
        old = here.submit_script(LEAVES_A_FILE, name="old", resources=SMALL)
        here.wait_until(old, "succeeded")
        drill.join()
        own = next(n["name"] for n in here.get("/nodes")["results"] if n["name"] != "far")
        drill.act(own, "cordon")
        lasting, outrun = drill.submit("lasting"), drill.submit("outrun")
        for name in ("lasting", "outrun"):
            drill.begun(name)
        wait_for(lambda: drill.log_has(lasting, "line 3\n"), "a log")
        drill.act("far", "cordon")
        waiting = drill.submit("waiting")

        made = command("backup", str(kept), "--state", str(first))
        again = command("backup", str(kept), "--state", str(first))

        # the far node goes on, and gets work that the first backup knows nothing of
        drill.act("far", "uncordon")
        drill.submit("unknown")
        for name in ("waiting", "unknown"):
            drill.begun(name)
        drill.end("outrun")
        here.wait_until(outrun, "succeeded")
        assert made["installation"] == again["installation"]
        assert made["copied"] == made["blobs"] > 0
        assert again["copied"] == 0  # what the folder has is not copied again
        drill.ups[0].stop(signal.SIGKILL)
        until(lambda: not drill.ups[0].left())
        shutil.rmtree(first)

        self._refuses_what_is_wrong(tmp_path, Path(made["folder"]))
        found = command("restore", made["folder"], "--state", str(second))
        assert (found["missing"], found["damaged"]) == ([], [])
        drill.start(second)
        here = drill.here

        # the far agent is back by itself, with everything that it was given
        assert drill.node("far")["contact"] in ("fresh", "suspect")
        ended = here.wait_until(outrun, "succeeded")
        assert ended["run"]["number"] == 1
        here.wait_until(waiting, "running")
        state = wait_for(
            lambda: (seen := here.get("/restore"))["running"] == 1 and seen, "the orphan"
        )
        assert state["held"]
        new = here.submit_script(LEAVES_A_FILE, name="new", resources=SMALL)
        wait_for(
            lambda: (here.job(new)["waiting"] or {}).get("code") == "waits_after_restore",
            "the queue to say why it waits",
        )

        for name in ("lasting", "waiting", "unknown"):
            drill.end(name)
        for job in (lasting, waiting):
            assert here.wait_until(job, "succeeded")["run"]["number"] == 1
            assert here.log(job).endswith("the end\n")
            assert here.log(job).startswith("line 0\n")
        here.wait_until(new, "succeeded")
        (orphan,) = here.get("/restore/orphans")["results"]
        assert orphan["ended_at"]
        assert orphan["state"] in ("succeeded", "finishing")
        for name in ("lasting", "outrun", "waiting", "unknown"):
            assert drill.starts(name) == 1, name

        # rows, bytes and history are whole, and the model still answers
        here.wait_until(old, "succeeded")
        assert command("fsck", "--state", str(second))["missing"] == []
        verified = json.loads(here.cli("audit", "verify", "--json").stdout)
        assert verified["holds"]
        assert verified["entries"] > 10
        assert verified["signed_through"] > 0 or not FULL  # a minute after the start, then hourly
        assert (second / "signing.key").stat().st_mode & 0o777 == 0o600
        if demo is not None:
            wait_for(lambda: _answers(here), "the demo's endpoint to answer again")

    @staticmethod
    def _refuses_what_is_wrong(folder: Path, made: Path) -> None:
        assert (made / "keys.json").stat().st_mode & 0o777 == 0o600
        full = folder / "full"
        full.mkdir()
        (full / "something").touch()
        assert "is not empty" in refused("restore", str(made), "--state", str(full))

        other = folder / "other.json"
        keys = json.loads((made / "keys.json").read_text())
        other.write_text(json.dumps(keys | {"installation": "another"}))
        said = refused("restore", str(made), "--state", str(folder / "x"), "--keys", str(other))
        assert "the keys are of installation another" in said

        broken = made.parent / "broken"
        shutil.copytree(made, broken)
        with (broken / "database.dump").open("r+b") as dump:
            dump.seek(5000)
            dump.write(b"rotten")
        said = refused("restore", str(broken), "--state", str(folder / "x"))
        assert "database.dump is missing or damaged" in said
        shutil.rmtree(broken)
        assert not (folder / "x").exists()


def refused(*words: str) -> str:
    """What a command says that ends with 1."""
    done = subprocess.run(
        [sys.executable, "-m", "controlplane.cli", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def _answers(here: Installation) -> bool:
    asked = here.cli("endpoints", "predict", "digits", str(_digit(here.state)), check=False)
    return asked.returncode == 0


def _digit(folder: Path) -> Path:
    """A picture of the example's."""
    target = folder / "digit.png"
    if not target.exists():
        with zipfile.ZipFile(ROOT / "examples/digits/digits.zip") as archive:
            name = next(name for name in archive.namelist() if name.endswith(".png"))
            target.write_bytes(archive.read(name))
    return target
