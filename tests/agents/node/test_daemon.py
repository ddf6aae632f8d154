"""The whole daemon in its own process, against a control plane that does what a test needs."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol.base import Reason, Resources
from agents.protocol.link import Service
from agents.protocol.rest import StartAnswer, Ticket
from agents.protocol.specs import (
    MODEL_INPUT,
    REPLICA_BEARER,
    FileRef,
    Input,
    ServeSpec,
    WorkloadSpec,
)
from agents.protocol.workloads import Cause, WorkloadState
from agents.runners.serving import certificate
from tests.agents.node.conftest import Agent
from tests.agents.node.double import Double
from tests.agents.node.waiting import is_alive, wait_for
from tests.agents.runners.replica import BEARER, Gateway, leave_model, numbers

S = WorkloadState

COUNTS = """
import json, os, sys, time
starts, ticks = sys.argv[1], int(sys.argv[2])
with open(starts, "a") as file:
    file.write(f"{os.getpid()}\\n")
with open(os.environ["DATAHALL_METRICS_FILE"], "a", buffering=1) as metrics:
    for tick in range(ticks):
        print("line", tick)
        metrics.write(json.dumps({"name": "tick", "step": tick, "value": tick * 0.5}) + "\\n")
        time.sleep(0.01)
"""

WAITS = "import time; print('up'); time.sleep(600)"

Script = Callable[..., WorkloadSpec]


class TestARun:
    def test_tells_every_state_and_all_it_wrote(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        workload = plane.want(script(COUNTS, str(tmp_path / "starts"), "20"))
        agent.start()

        final = plane.final(workload)

        assert plane.states(workload) == [S.RUNNING, S.FINISHING, S.SUCCEEDED]
        assert (final.exit_code, final.cause) == (0, None)
        assert plane.log(workload) == "".join(f"line {tick}\n" for tick in range(20))
        assert final.log_bytes == len(plane.logs[workload])
        assert [(p.name, p.step, p.value) for p in plane.points[workload]] == [
            ("tick", tick, tick * 0.5) for tick in range(20)
        ]
        assert plane.heartbeats
        folder = agent.state.workloads / str(workload)
        wait_for(lambda: not folder.exists(), "the workspace to be cleaned")

    def test_gets_its_inputs_and_leaves_outputs(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        body = b"some data" * 1000
        code = """
import os, pathlib
data = pathlib.Path(os.environ["DATAHALL_INPUTS"], "data", "deep", "file.bin").read_bytes()
out = pathlib.Path(os.environ["DATAHALL_OUTPUTS"], "sub")
out.mkdir()
(out / "twice.bin").write_bytes(data * 2)
(out / "empty").touch()
"""
        file = FileRef(path="deep/file.bin", digest=plane.put(body), size=len(body))
        workload = plane.want(script(code, inputs=[Input(name="data", files=[file])]))
        agent.start()

        final = plane.final(workload)

        assert [output.path for output in final.outputs] == ["sub/empty", "sub/twice.bin"]
        assert plane.bytes[final.outputs[1].digest] == body * 2

    def test_builds_the_environment_from_nothing(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        plane.devices = ["GPU-1", "GPU-2"]
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        workload = plane.want(script(code))
        agent.start(env={"A_SECRET_OF_THE_AGENT": "x"})

        plane.final(workload)

        env = json.loads(plane.log(workload))
        assert "A_SECRET_OF_THE_AGENT" not in env
        assert env["DATAHALL_TOKEN"] == "run-token"
        assert env["DATAHALL_URL"] == plane.url
        assert env["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-2"
        assert env["RANK"], env["WORLD_SIZE"] == ("0", "1")

    def test_a_crash_is_sorted_and_shown(self, plane: Double, agent: Agent, script: Script) -> None:
        workload = plane.want(script("print('before')\n1 / 0\n"))
        agent.start()

        final = plane.final(workload)

        assert (final.state, final.cause, final.exit_code) == (S.FAILED, Cause.USER_CODE, 1)
        assert final.reason == Reason(
            code="exited", params={"exit_code": 1, "line": "ZeroDivisionError: division by zero"}
        )
        assert "Traceback" in plane.log(workload)

    def test_what_the_runner_says_wins(self, plane: Double, agent: Agent, script: Script) -> None:
        spec = script("")
        payload = type(spec.payload)(code=spec.payload.code, entrypoint="missing.py")  # type: ignore[union-attr]
        workload = plane.want(WorkloadSpec(name="x", payload=payload, resources=spec.resources))
        agent.start()

        final = plane.final(workload)

        assert final.reason is not None
        assert final.reason.code == "entrypoint_missing"

    def test_a_log_beyond_its_limit_is_a_counted_gap(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script("print('x' * 99_999)", max_log_bytes=1000))
        agent.start()

        final = plane.final(workload)

        assert (final.log_bytes, final.dropped_log_bytes) == (1000, 99_000)


class TestStop:
    def test_ends_a_running_payload(self, plane: Double, agent: Agent, script: Script) -> None:
        workload = plane.want(script(WAITS))
        agent.start()
        wait_for(lambda: plane.log(workload), "the payload to speak")

        plane.want_stop(workload)

        final = plane.final(workload)
        assert (final.state, final.cause) == (S.STOPPED, Cause.STOPPED)
        assert final.exit_code == -signal.SIGTERM

    def test_of_what_never_came_keeps_it_from_starting(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script(WAITS))
        start = plane.desired.pop()
        plane.want_stop(workload)
        agent.start()
        assert plane.final(workload).state == S.STOPPED

        plane.desired.append(start)
        after = len(plane.requests)
        plane.tell_to_look()

        wait_for(lambda: ("GET", "/agent/v1/desired") in plane.requests[after:], "a pull")
        assert not plane.starts[workload]

    def test_while_waiting_for_the_yes(self, plane: Double, agent: Agent, script: Script) -> None:
        workload = plane.want(script(WAITS))
        plane.answer[workload] = StartAnswer(answer="wait")
        agent.start()
        wait_for(lambda: plane.starts[workload], "the approval to be asked for")

        plane.want_stop(workload)

        assert plane.final(workload).state == S.STOPPED
        assert plane.states(workload) == [S.STOPPED]

    def test_a_stale_fence_ends_it_here_and_says_nothing(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script("import time\nwhile True: print('x'); time.sleep(0.05)"))
        agent.start()
        wait_for(lambda: plane.log(workload), "the payload to speak")
        started = agent.state.workloads / str(workload) / "started.json"
        payload = json.loads(started.read_text())["payload"]["pid"]

        plane.refuses.add(workload)

        wait_for(lambda: not is_alive(payload), "the payload to end")
        wait_for(lambda: not started.parent.exists(), "the workspace to be cleaned")
        assert plane.states(workload) == [S.RUNNING]

    def test_a_404_of_something_in_between_is_no_refusal(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script("print('hello')"))
        plane.answer[workload] = StartAnswer(answer="wait")
        agent.start()
        wait_for(lambda: plane.starts[workload], "the approval to be asked for")

        plane.hidden = 2
        wait_for(lambda: not plane.hidden, "the proxy to answer instead")
        del plane.answer[workload]

        assert plane.final(workload).state == S.SUCCEEDED


class TestApproval:
    def test_no_settles_it(self, plane: Double, agent: Agent, script: Script) -> None:
        workload = plane.want(script(WAITS))
        plane.answer[workload] = StartAnswer(answer="no", reason=Reason(code="stopped"))
        agent.start()

        wait_for(lambda: plane.starts[workload], "the approval to be asked for")
        wait_for(lambda: plane.heartbeats, "a heartbeat")

        assert len(plane.starts[workload]) == 1
        assert plane.states(workload) == []

    def test_is_asked_again_with_the_same_nonce(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        workload = plane.want(script("print('hello')"))
        plane.answer[workload] = StartAnswer(answer="wait")
        agent.start()
        wait_for(lambda: plane.starts[workload], "the approval to be asked for")
        agent.kill()

        del plane.answer[workload]
        agent.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert len({request.nonce for request in plane.starts[workload]}) == 1

    def test_a_spec_that_was_altered_starts_nothing(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script(WAITS))
        plane.specs[workload] += b" "
        agent.start()

        final = plane.final(workload)

        assert final.reason == Reason(code="spec_altered")
        assert not plane.starts[workload]


class TestEnvelopes:
    @pytest.mark.parametrize("odd", ["forged", "altered", "misdirected", "expired", "garbage"])
    def test_an_odd_one_starts_nothing(
        self, plane: Double, agent: Agent, script: Script, odd: str
    ) -> None:
        workload = plane.want(script(WAITS))
        good = plane.desired.pop()
        after = plane.want(script("print('fine')"))
        body, _, signature = good.partition(".")
        plane_key = plane.key
        match odd:
            case "forged":
                plane.key = Ed25519PrivateKey.generate()
                bad = plane.envelope("start", workload)
                plane.key = plane_key
            case "altered":
                bad = body[:-8] + "AAAA" + body[-4:] + "." + signature
            case "misdirected":
                bad = plane.envelope("start", workload, aud=uuid4())
            case "expired":
                bad = plane.envelope("start", workload, iat=1000, exp=1300)
            case _:
                bad = "\0garbage"
        plane.desired.insert(0, bad)
        agent.start()

        assert plane.final(after).state == S.SUCCEEDED  # it was read after the odd one
        assert not plane.starts[workload]

    def test_a_repeat_starts_nothing(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        starts = tmp_path / "starts"
        workload = plane.want(script(COUNTS, str(starts), "1"))
        plane.desired += [plane.desired[0], plane.envelope("start", workload)]
        agent.start()

        plane.final(workload)

        assert starts.read_text().count("\n") == 1


class TestService:
    @pytest.fixture
    def replica(self, plane: Double, tmp_path: Path) -> WorkloadSpec:
        leave_model(tmp_path / "model")
        bodies = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
        files = [
            FileRef(path=name, digest=plane.put(body), size=len(body))
            for name, body in bodies.items()
        ]
        return WorkloadSpec(
            name="a replica",
            payload=ServeSpec(max_batch=8),
            resources=Resources(cpu_millis=1000, memory_bytes=2**30),
            inputs=[Input(name=MODEL_INPUT, files=files)],
        )

    def yes(self, plane: Double) -> StartAnswer:
        tickets = [
            Ticket(digest=digest, size=len(body), url=f"/transfer/{digest}")
            for digest, body in plane.bytes.items()
        ]
        return StartAnswer(answer="yes", secrets={REPLICA_BEARER: BEARER}, tickets=tickets)

    def told(self, plane: Double, workload: UUID) -> list[Service]:
        reports = [report for _, report in sorted(plane.reports.items())]
        return [r.service for r in reports if r.workload == workload and r.service is not None]

    async def test_is_told_once_it_is_warm(
        self, plane: Double, agent: Agent, replica: WorkloadSpec
    ) -> None:
        workload = plane.want(replica)
        plane.answer[workload] = self.yes(plane)
        agent.start()

        await asyncio.to_thread(wait_for, lambda: self.told(plane, workload), "the service")

        (service,) = self.told(plane, workload)
        assert service.host == "127.0.0.1"
        async with Gateway(service) as gateway:
            assert (await gateway.greeted()).max_batch == 8
            assert (await gateway.ask(numbers())).status == 200
        plane.want_stop(workload)
        final = await asyncio.to_thread(plane.final, workload)
        assert (final.state, final.exit_code) == (S.STOPPED, 0)
        assert plane.states(workload) == [S.RUNNING, S.RUNNING, S.FINISHING, S.STOPPED]
        assert len(self.told(plane, workload)) == 1

    def test_is_told_by_the_next_agent_and_by_no_other(
        self, plane: Double, agent: Agent, replica: WorkloadSpec
    ) -> None:
        workload = plane.want(replica)
        plane.answer[workload] = self.yes(plane)
        agent.start("--advertise-host", "192.0.2.7")
        folder = agent.state.workloads / str(workload)
        wait_for((folder / "started.json").exists, "the shim")
        agent.kill()
        wait_for((folder / "told" / "service.json").exists, "the replica")
        assert not self.told(plane, workload)

        agent.start()
        wait_for(lambda: self.told(plane, workload), "the service")
        agent.kill()
        agent.start()
        plane.want_stop(workload)
        plane.final(workload)

        (service,) = self.told(plane, workload)
        assert service.host == "192.0.2.7"

    def test_is_no_word_of_a_script(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        said = tmp_path / "service.json"
        service = Service(
            host="evil.example.com", port=1, certificate=certificate.make("::1").certificate
        )
        said.write_bytes(msgspec.json.encode(service))
        code = f"""
import os, pathlib, shutil, time
workspace = pathlib.Path(os.environ["DATAHALL_OUTPUTS"]).parent
shutil.copy({str(said)!r}, workspace / "told" / "service.json")
time.sleep(1)
"""
        workload = plane.want(script(code))
        agent.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert not self.told(plane, workload)


class TestRestart:
    def test_kill_9_loses_nothing(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        starts = tmp_path / "starts"
        workload = plane.want(script(COUNTS, str(starts), "300"))
        agent.start()
        wait_for(lambda: "line 20\n" in plane.log(workload), "the log to move")

        for _ in range(2):
            agent.kill()
            agent.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert starts.read_text().count("\n") == 1
        assert plane.log(workload) == "".join(f"line {tick}\n" for tick in range(300))
        assert [p.step for p in plane.points[workload]] == list(range(300))
        assert plane.states(workload) == [S.RUNNING, S.FINISHING, S.SUCCEEDED]

    def test_what_ended_meanwhile_is_told(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        door = tmp_path / "door"
        code = """
import os, sys, time
print("up")
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
"""
        workload = plane.want(script(code, str(door)))
        agent.start()
        wait_for(lambda: plane.log(workload), "the payload to speak")
        folder = agent.state.workloads / str(workload)
        agent.kill()

        door.touch()
        wait_for((folder / "exit.json").exists, "the payload to end")
        agent.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert plane.states(workload) == [S.RUNNING, S.FINISHING, S.SUCCEEDED]

    def test_sigterm_leaves_payloads_running(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script(WAITS))
        agent.start()
        wait_for(lambda: plane.log(workload), "the payload to speak")
        started = agent.state.workloads / str(workload) / "started.json"
        payload = json.loads(started.read_text())["payload"]["pid"]

        agent.signal(signal.SIGTERM)

        assert is_alive(payload)
        agent.start()
        plane.want_stop(workload)
        assert plane.final(workload).state == S.STOPPED

    def test_a_shim_killed_meanwhile_is_a_failure_with_no_process_left(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        code = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleep, start_new_session=True)
print(child.pid)
time.sleep(600)
"""
        workload = plane.want(script(code))
        agent.start()
        wait_for(lambda: plane.log(workload).endswith("\n"), "the payload to speak")
        started = json.loads((agent.state.workloads / str(workload) / "started.json").read_text())

        os.kill(started["shim"]["pid"], signal.SIGKILL)

        final = plane.final(workload)
        assert final.reason is not None
        assert (final.state, final.reason.code) == (S.FAILED, "supervisor_lost")
        assert not is_alive(int(plane.log(workload)))

    def test_another_boot_is_the_end_of_what_ran(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script(WAITS))
        agent.start()
        wait_for(lambda: plane.log(workload), "the payload to speak")
        agent.kill()
        path = agent.state.workloads / str(workload) / "started.json"
        started = json.loads(path.read_text())
        os.kill(started["shim"]["pid"], signal.SIGKILL)
        path.write_text(json.dumps(started | {"boot_id": "another"}))

        agent.start()

        assert plane.final(workload).cause == Cause.NODE_LOST


class TestInstallationStops:
    def test_workloads_end_interrupted(self, plane: Double, agent: Agent, script: Script) -> None:
        workload = plane.want(script(WAITS))
        agent.start(env={"DATAHALL_STOP_WORKLOADS": "1"})
        wait_for(lambda: plane.log(workload), "the payload to speak")

        agent.signal(signal.SIGTERM)

        final = plane.final(workload, seconds=1)  # it was told before the agent ended
        assert (final.state, final.cause) == (S.FAILED, Cause.INTERRUPTED)

    def test_the_lifeline_ends_payloads_without_the_agent(
        self, plane: Double, agent: Agent, script: Script
    ) -> None:
        workload = plane.want(script(WAITS))
        theirs, ours = os.pipe()
        agent.start(env={"DATAHALL_LIFELINE_FD": str(theirs)}, pass_fds=[theirs])
        os.close(theirs)
        wait_for(lambda: plane.log(workload), "the payload to speak")
        agent.kill()
        folder = agent.state.workloads / str(workload)

        os.close(ours)

        wait_for((folder / "exit.json").exists, "the payload to end")
        agent.start()
        assert plane.final(workload).cause == Cause.INTERRUPTED


class TestAcknowledgement:
    def test_nothing_is_forgotten_before_it(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        plane.acknowledges = False
        workload = plane.want(script(COUNTS, str(tmp_path / "starts"), "5"))
        agent.start()
        folder = agent.state.workloads / str(workload)
        wait_for((folder / "exit.json").exists, "the payload to end")
        agent.kill()

        plane.acknowledges = True
        agent.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert plane.log(workload) == "".join(f"line {tick}\n" for tick in range(5))
        assert len(plane.points[workload]) == 5

    def test_a_control_plane_that_goes_and_comes_misses_nothing(
        self, plane: Double, agent: Agent, script: Script, tmp_path: Path
    ) -> None:
        workload = plane.want(script(COUNTS, str(tmp_path / "starts"), "200"))
        agent.start()
        wait_for(lambda: "line 5\n" in plane.log(workload), "the log to move")

        plane.stop()
        folder = agent.state.workloads / str(workload)
        wait_for((folder / "exit.json").exists, "the payload to end")
        plane.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert plane.log(workload) == "".join(f"line {tick}\n" for tick in range(200))

    def test_samples_come_in_blocks(self, plane: Double, agent: Agent) -> None:
        agent.start("--simulate-gpus", "2")

        wait_for(lambda: plane.blocks, "a block of samples")
        assert len(plane.hellos[0].inventory.devices) == 2


class TestFetch:
    def test_goes_on_where_it_broke_off(self, plane: Double, agent: Agent, script: Script) -> None:
        body = os.urandom(400_000)
        file = FileRef(path="f", digest=plane.put(body), size=len(body))
        plane.cuts[file.digest] = 150_000
        code = "import os; print(os.stat(os.environ['DATAHALL_INPUTS'] + '/data/f').st_size)"
        workload = plane.want(script(code, inputs=[Input(name="data", files=[file])]))
        agent.start()

        assert plane.final(workload).state == S.SUCCEEDED
        assert ("RANGE", "bytes=150000-") in plane.requests

    def test_wrong_bytes_are_not_used(self, plane: Double, agent: Agent, script: Script) -> None:
        file = FileRef(path="f", digest=plane.put(b"right"), size=5)
        plane.bytes[file.digest] = b"wrong"
        workload = plane.want(script(WAITS, inputs=[Input(name="data", files=[file])]))
        agent.start()

        final = plane.final(workload)

        assert final.reason == Reason(code="input_unobtainable", params={"path": "f"})
        assert final.cause == Cause.ENVIRONMENT

    @pytest.mark.parametrize("path", ["../escape", "/etc/escape", "."])
    def test_a_path_that_leads_out_is_refused(
        self, plane: Double, agent: Agent, script: Script, path: str
    ) -> None:
        file = FileRef(path=path, digest=plane.put(b"x"), size=1)
        workload = plane.want(script(WAITS, inputs=[Input(name="data", files=[file])]))
        agent.start()

        final = plane.final(workload)

        assert final.reason is not None
        assert final.reason.code == "input_path_unusable"
