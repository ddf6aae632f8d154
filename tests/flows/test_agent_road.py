"""What becomes of a payload on the real road: its outputs, and the end of its installation."""

import hashlib
import signal
from pathlib import Path

import pytest

from tests.flows.conftest import Installation, wait_for
from tests.flows.installation import Up, payloads
from tests.servers import free_port

LEAVES = """
import os, pathlib
out = pathlib.Path(os.environ["DATAHALL_OUTPUTS"], "deep")
out.mkdir()
(out / "big.bin").write_bytes(bytes(range(256)) * 50_000)
(out / "same.bin").write_bytes(bytes(range(256)) * 50_000)
(out / "empty").touch()
"""

STAYS = """
import pathlib, sys, time
here = pathlib.Path(sys.argv[1])
with (here / "starts").open("a") as starts:
    starts.write("x")
while not (here / "go").exists():
    time.sleep(0.02)
"""


@pytest.mark.xdist_group("installation")
class TestOutputs:
    def test_come_back_byte_for_byte(self, installation: Installation) -> None:
        job = installation.submit_script(LEAVES, name="leaves")

        installation.wait_until(job, "succeeded")

        outputs = {
            output["path"]: output
            for output in installation.get(f"/projects/default/jobs/{job}/outputs")["results"]
        }
        assert list(outputs) == ["deep/big.bin", "deep/empty", "deep/same.bin"]
        big = bytes(range(256)) * 50_000
        assert outputs["deep/same.bin"]["digest"] == hashlib.sha256(big).hexdigest()
        with installation.api as api:
            assert api.get(f"{installation.url}{outputs['deep/big.bin']['url']}").content == big


class TestTheInstallationsEnd:
    def test_ends_payloads_and_the_next_start_runs_the_job_again(self, tmp_path: Path) -> None:
        state, shared, port = tmp_path / "state", tmp_path / "shared", free_port()
        shared.mkdir()

        def starts() -> int:
            found = shared / "starts"
            return len(found.read_text()) if found.exists() else 0

        up = Up(state, port, shared=shared)
        try:
            ready = up.wait_until_ready()
            installation = Installation(state, ready["url"], ready["token"])
            job = installation.submit_script(STAYS, name="stays", arguments=[str(shared)])
            wait_for(lambda: starts() == 1, "the first run")

            up.stop()  # Ctrl-C: it is told to the control plane before that ends

            assert not payloads(state)
            up = Up(state, port, shared=shared)
            up.wait_until_ready()
            wait_for(lambda: starts() == 2, "the second run")

            up.process.send_signal(signal.SIGKILL)  # nobody is told: the lifeline is cut
            up.process.wait()

            wait_for(lambda: not payloads(state), "the payload to end", seconds=20)
            up = Up(state, port, shared=shared)
            up.wait_until_ready()
            wait_for(lambda: starts() == 3, "the third run")
            (shared / "go").touch()
            ended = installation.wait_until(job, "succeeded")
        finally:
            up.stop()

        assert ended["run"]["number"] == 3
        assert starts() == 3
