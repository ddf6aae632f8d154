"""A card that falls off the bus under a job: the real agent, on a library without GPUs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Installation, wait_for
from tests.flows.installation import ROOT
from tests.nvml import fake

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(300)]

STAYS = """
import os, pathlib, sys, time
here = pathlib.Path(sys.argv[1])
with (here / "devices").open("a") as devices:
    devices.write(os.environ["CUDA_VISIBLE_DEVICES"] + "\\n")
while not (here / "go").exists():
    time.sleep(0.02)
"""


class Host:
    """A second node of the installation, with two cards."""

    def __init__(self, installation: Installation, folder: Path, library: Path) -> None:
        self._installation = installation
        self.cards = fake.Cards(folder / "nvml", 2)
        self._agent = [sys.executable, "-m", "agents.node"]
        self._state = str(folder / "node")
        self._env = os.environ | {
            "LD_LIBRARY_PATH": str(library.parent),
            fake.ENVIRONMENT: str(self.cards.file),
        }
        invited = installation.post("/nodes/join-tokens").json()
        joined = subprocess.run(
            [
                *(*self._agent, "join", installation.url, invited["token"]),
                *("--state", self._state, "--name", "cards"),
            ],
            cwd=ROOT,
            env=self._env,
            capture_output=True,
            check=True,
        )
        self.id = json.loads(joined.stdout)["node"]
        self._log = (folder / "agent.log").open("ab")
        self._process = subprocess.Popen(
            [
                *(*self._agent, "run", "--state", self._state, "--no-broker"),
                *("--isolation", "none"),  # a box would bind the cards' files, and there are none
            ],
            cwd=ROOT,
            env=self._env | {"DATAHALL_STOP_WORKLOADS": "1"},
            stdout=self._log,
            stderr=self._log,
        )

    def seen(self) -> dict[str, Any]:
        return dict(self._installation.get(f"/nodes/{self.id}"))

    def device(self, index: int) -> dict[str, Any]:
        (found,) = [d for d in self.seen()["devices"] if d["index"] == index]
        return dict(found)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return list(self._installation.get(f"/nodes/{self.id}/events", kind=kind)["results"])

    def close(self) -> None:
        self.cards.hang(False)
        self._process.terminate()
        self._process.wait(60)
        self._log.close()
        with self._installation.api as api:
            wait_for(
                lambda: api.delete(f"/nodes/{self.id}").status_code in (204, 404),
                "the node to be removed",
            )


@pytest.fixture
def host(installation: Installation, tmp_path: Path, fake_nvml: Path) -> Iterator[Host]:
    one = Host(installation, tmp_path, fake_nvml)
    try:
        wait_for(lambda: one.seen()["contact"] == "fresh", "the node")
        yield one
    finally:
        one.close()


def test_the_job_goes_on_on_another_card_and_the_lost_one_waits_for_somebody(
    installation: Installation, host: Host, tmp_path: Path
) -> None:
    def devices() -> list[str]:
        file = tmp_path / "devices"
        return file.read_text().split() if file.exists() else []

    job = installation.submit_script(
        STAYS,
        name="falls",
        arguments=[str(tmp_path)],
        resources={"device_count": 1, "cpu_millis": 500, "memory_bytes": 256 << 20},
        max_retries=1,
    )
    wait_for(lambda: len(devices()) == 1, "the first run")
    assert devices() == [host.cards.uuid(0)]

    host.cards.lose(0)
    host.cards.tell(0, 79)

    wait_for(lambda: len(devices()) == 2, "the second run")
    assert devices()[1] == host.cards.uuid(1)
    (tmp_path / "go").touch()
    ended = installation.wait_until(job, "succeeded")
    runs = {
        run["number"]: run
        for run in installation.get(f"/projects/default/jobs/{job}/runs")["results"]
    }
    assert ended["run"]["number"] == 2
    first = runs[1]
    assert (first["state"], first["cause"]) == ("failed", "hardware")
    assert first["reason"]["code"] in ("device_xid_79", "device_lost")
    assert host.cards.uuid(0) in first["reason"]["text"]

    lost = host.device(0)
    assert (lost["healthy"], lost["health_action"]) == (False, "replace")
    assert host.device(1)["healthy"]
    assert host.seen()["cordoned_at"] is None  # the node goes on
    wait_for(
        lambda: (
            {event["detail"]["fault"] for event in host.events("device_fault")} == {"xid", "lost"}
        ),
        "both words of it",
    )
    attention = installation.get("/projects/default/attention")
    assert "device_unhealthy" in {item["kind"] for item in attention["results"]}

    shown = installation.cli("nodes", "clear-device", "cards", "0")
    assert shown.stdout == "GPU 0 of cards gets work again\n"
    assert host.device(0)["healthy"]


def test_a_driver_that_hangs_stops_readings_and_no_heartbeat(host: Host) -> None:
    seen = host.seen()["last_contact_at"]
    host.cards.hang()

    wait_for(lambda: not host.device(0)["healthy"], "the node to say so")

    assert host.device(1)["health_reason"]["code"] == "device_driver_hangs"
    wait_for(lambda: host.seen()["last_contact_at"] > seen, "another heartbeat")
    assert host.seen()["contact"] == "fresh"
    host.cards.hang(False)
    wait_for(lambda: host.device(0)["healthy"] and host.device(1)["healthy"], "the driver's return")
