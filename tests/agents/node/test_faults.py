"""What a fault of a device means for what runs on it: the whole daemon, on cards of a library."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.protocol.link import WorkloadReport
from agents.protocol.specs import WorkloadSpec
from agents.protocol.workloads import Cause, WorkloadState
from tests.agents.node.conftest import Agent
from tests.agents.node.double import Double
from tests.agents.node.test_daemon import Script
from tests.agents.node.waiting import wait_for
from tests.nvml import fake

S = WorkloadState

WAITS = "import time; print('up', flush=True); time.sleep(600)"

TIDY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('up', flush=True)
time.sleep(600)
"""

DIES = """
import os, pathlib, sys, time
print('up', flush=True)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
sys.exit(7)
"""


@pytest.fixture
def cards(tmp_path: Path, plane: Double) -> fake.Cards:
    told = fake.Cards(tmp_path / "nvml", 2)
    plane.devices = [told.uuid(0)]
    return told


@pytest.fixture
def env(cards: fake.Cards, fake_nvml: Path) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(fake_nvml.parent), fake.ENVIRONMENT: str(cards.file)}


def runs(plane: Double, spec: WorkloadSpec) -> UUID:
    """Want a workload, and wait until it says that it is up."""
    workload = plane.want(spec)
    plane.tell_to_look()
    wait_for(lambda: plane.log(workload), "its first line")
    return workload


def why(report: WorkloadReport) -> dict[str, Any]:
    assert report.reason is not None
    return {"code": report.reason.code, **report.reason.params}


class TestAFault:
    def test_ends_what_runs_on_the_device_and_nothing_else(
        self, plane: Double, agent: Agent, script: Script, cards: fake.Cards, env: dict[str, str]
    ) -> None:
        agent.start(env=env)
        hit = runs(plane, script(WAITS))
        plane.devices = [cards.uuid(1)]
        other = runs(plane, script(WAITS))

        cards.tell(0, 79)

        final = plane.final(hit)
        assert (final.state, final.cause) == (S.FAILED, Cause.HARDWARE)
        assert why(final) == {
            "code": "device_xid_79",
            "device": cards.uuid(0),
            "index": 0,
            "xid": 79,
        }
        (fault,) = plane.faults.values()
        assert (fault.kind, fault.xid, fault.workloads) == ("xid", 79, [hit])
        assert fault.seq < final.seq  # whoever retries knows of the device by then
        assert plane.states(other) == [S.RUNNING]

    def test_is_no_success_however_tidily_a_payload_ends(
        self, plane: Double, agent: Agent, script: Script, cards: fake.Cards, env: dict[str, str]
    ) -> None:
        agent.start(env=env)
        workload = runs(plane, script(TIDY))

        cards.lose(0)

        final = plane.final(workload)
        assert (final.state, final.cause) == (S.FAILED, Cause.HARDWARE)
        assert why(final)["code"] == "device_lost"

    def test_that_is_told_after_the_payload_has_crashed_is_still_the_reason(
        self,
        plane: Double,
        agent: Agent,
        script: Script,
        cards: fake.Cards,
        env: dict[str, str],
        tmp_path: Path,
    ) -> None:
        agent.start(env=env)
        workload = runs(plane, script(DIES, str(tmp_path / "die")))

        (tmp_path / "die").touch()
        wait_for(lambda: S.FINISHING in plane.states(workload), "its end")
        cards.tell(0, 95)

        assert plane.final(workload).cause is Cause.HARDWARE

    def test_of_the_programs_own_leaves_the_blame_with_it(
        self,
        plane: Double,
        agent: Agent,
        script: Script,
        cards: fake.Cards,
        env: dict[str, str],
        tmp_path: Path,
    ) -> None:
        agent.start(env=env)
        workload = runs(plane, script(DIES, str(tmp_path / "die")))

        cards.tell(0, 31)
        wait_for(lambda: plane.faults, "the word of it")
        (tmp_path / "die").touch()

        final = plane.final(workload)
        assert (final.cause, final.exit_code) == (Cause.USER_CODE, 7)


class TestADevice:
    def test_whose_memory_is_still_taken_is_waited_for(
        self, plane: Double, agent: Agent, script: Script, cards: fake.Cards, env: dict[str, str]
    ) -> None:
        cards.set(0, memory_used=30 * fake.GIB)  # of a process that nobody has ended
        agent.start(env=env)
        wait_for(lambda: plane.heartbeats, "the agent")
        workload = plane.want(script("print('ran')"))
        plane.tell_to_look()
        wait_for(lambda: plane.starts[workload], "its start to be asked for")
        assert not (agent.state.workloads / str(workload) / "started.json").exists()

        cards.set(0, memory_used=fake.GIB // 2)

        assert plane.final(workload).state is S.SUCCEEDED

    def test_that_is_simulated_is_none_to_cuda(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        code = """
import os
print(repr(os.environ["CUDA_VISIBLE_DEVICES"]), os.environ["DATAHALL_DEVICES"])
"""
        device = f"SIM-{plane.node.hex[:12]}-0"
        plane.devices = [device]
        agent.start("--simulate-gpus", "1")

        workload = plane.want(script(code))

        assert plane.final(workload).state is S.SUCCEEDED
        assert plane.log(workload) == f"'' {device}\n"
        (told,) = plane.hellos[0].inventory.devices
        assert (told.uuid, told.simulated) == (device, True)
