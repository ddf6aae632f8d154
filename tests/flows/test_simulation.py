"""Three simulated nodes from their invitation to their removal, beside a real one."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Installation, wait_for
from tests.flows.installation import ROOT


class Fleet:
    """`datahall simulate` as a process."""

    def __init__(self, installation: Installation, state: Path) -> None:
        self._installation = installation
        self._command = [
            *(sys.executable, "-m", "controlplane.cli", "simulate", "--state", str(state)),
            *("--nodes", "3", "--gpus", "2", "--job-seconds", "1"),
        ]

    def __enter__(self) -> "Fleet":
        self.process = subprocess.Popen(self._command, cwd=ROOT, env=self._installation.env)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def leave(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def remove(self) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, "--remove"],
            cwd=ROOT,
            env=self._installation.env,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.mark.xdist_group("installation")
def test_simulated_nodes_work_as_real_ones_are_shown_as_what_they_are_and_leave(
    installation: Installation, tmp_path: Path
) -> None:
    def simulated(since: str = "") -> list[dict[str, Any]]:
        return [
            node
            for node in installation.get("/nodes")["results"]
            if node["simulated"] and node["contact"] == "fresh" and node["last_contact_at"] > since
        ]

    fleet = Fleet(installation, tmp_path / "simulation")
    with fleet:
        nodes = wait_for(lambda: simulated() if len(simulated()) == 3 else None, "three nodes")
        pretended = installation.submit_script(
            "raise SystemExit(1)", resources={"simulated": True, "device_count": 2}
        )
        real = installation.submit_script("print('really')")

        done = installation.wait_until(pretended, "succeeded")

        assert done["run"]["node"]["name"].startswith("sim-")
        assert done["resources"]["simulated"]
        assert installation.log(pretended).startswith("simulated: this node computes nothing")
        assert installation.points(pretended, "loss")
        assert (
            installation.wait_until(real, "succeeded")["run"]["node"]["id"]
            == (installation.node()["id"])
        )
        shown = {node["id"]: node["simulated"] for node in installation.get("/fleet/map")["nodes"]}
        assert sum(shown.values()) == 3
        assert all(device["simulated"] for node in nodes for device in node["devices"])
        assert fleet.leave() == 0

    left_at = max(node["last_contact_at"] for node in simulated())
    with fleet:  # the same nodes come back
        again = wait_for(
            lambda: simulated(left_at) if len(simulated(left_at)) == 3 else None, "their return"
        )
        assert {node["id"] for node in again} == {node["id"] for node in nodes}
        assert fleet.leave() == 0

    removed = fleet.remove()

    assert (removed.returncode, removed.stdout) == (0, "removed 3 simulated nodes\n")
    assert not [node for node in installation.get("/nodes")["results"] if node["simulated"]]
