"""Each thing that the doctor finds is really wrong here, as far as a test may make it so."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agents.node import doctor, isolation
from agents.node.config import Identity, State, public_key_of
from agents.node.database import Database
from agents.node.isolation import Profile
from agents.protocol.base import Reason
from agents.protocol.checks import Check, Outcome
from agents.protocol.rest import BrokerAccess
from tests.agents.node.double import Double
from tests.servers import free_port


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "node")
    state.prepare()
    return state


@pytest.fixture
def joined(state: State, plane: Double) -> State:
    plane._know(base64.b64decode(public_key_of(state.key())))
    state.keep_identity(
        Identity(
            node=plane.node,
            name="node",
            url=plane.url,
            signing_keys={plane.kid: plane.public_key},
        )
    )
    return state


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system with next to nothing on it left."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=8", "none", str(folder)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("only who may mount can fill a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def named(found: list[Check], name: str) -> Check:
    (check,) = [check for check in found if check.name == name]
    return check


class TestTheHost:
    @pytest.mark.parametrize(
        ("said", "outcome"),
        [
            (("glibc", "2.36"), Outcome.OK),
            (("glibc", "2.17"), Outcome.FAILED),
            (("", ""), Outcome.FAILED),
        ],
    )
    def test_needs_a_c_library_that_torch_is_built_for(self, said, outcome):
        assert doctor.c_library(lambda: said).outcome is outcome

    def test_has_a_full_disk(self, full: Path):
        found = list(doctor.room(full))

        assert named(found, "disk").outcome is Outcome.FAILED
        assert named(found, "inodes").outcome is Outcome.FAILED
        assert str(full) in named(found, "disk").fix

    def test_allows_too_few_open_files(self):
        program = (
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
            "from agents.node import doctor; print(doctor.open_files().outcome)"
        )

        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

        assert ran.stdout.strip() == "failed"

    def test_has_a_torch_that_takes_its_process_down(self):
        assert doctor.torch(0, "import os; os.abort()").outcome is Outcome.FAILED

    def test_says_why_torch_does_not_load(self):
        check = doctor.torch(0, "raise ImportError('libcudart.so.13: cannot open')")

        assert (check.outcome, "libcudart" in check.found) == (Outcome.FAILED, True)

    def test_has_gpus_that_torch_does_not_see(self):
        assert doctor.torch(2, "print('2.13', '13.0', 1)").outcome is Outcome.FAILED

    def test_isolates_nothing(self):
        reason = Reason(code="isolation_refused", params={"detail": "no namespaces"})

        check = doctor.sandbox(lambda wanted, folder: isolation.Isolation(Profile.NONE, reason))

        assert (check.outcome, "no namespaces" in check.found) == (Outcome.WARNING, True)


class TestTheNode:
    def test_may_not_have_joined(self, state: State):
        assert [check.outcome for check in doctor.node(state)] == [Outcome.NOT_HERE]

    def test_has_an_agent_at_work_or_none(self, state: State):
        assert doctor.agent(state).outcome is Outcome.FAILED
        state.lock()

        assert doctor.agent(state).outcome is Outcome.OK

    def test_has_a_journal_that_is_damaged(self, state: State):
        Database(state.database).close()
        assert doctor.journal(state).outcome is Outcome.OK
        state.database.write_bytes(b"no database" * 1000)

        assert doctor.journal(state).outcome is Outcome.FAILED

    def test_is_known_and_in_time(self, joined: State):
        found = list(doctor.node(joined))

        assert named(found, "control plane").outcome is Outcome.OK
        assert named(found, "clock").outcome is Outcome.OK
        assert named(found, "broker").outcome is Outcome.NOT_HERE

    @pytest.mark.parametrize(
        ("ahead", "outcome", "way"),
        [(10.0, Outcome.WARNING, "behind"), (-120.0, Outcome.FAILED, "ahead of")],
    )
    def test_has_a_clock_of_its_own(self, joined: State, plane: Double, ahead, outcome, way):
        plane.clock_ahead = ahead

        check = named(list(doctor.node(joined)), "clock")

        assert (check.outcome, way in check.found) == (outcome, True)

    def test_does_not_reach_its_control_plane(self, joined: State):
        joined.keep_address(f"http://127.0.0.1:{free_port()}")

        found = list(doctor.node(joined))

        assert named(found, "control plane").outcome is Outcome.FAILED

    def test_does_not_reach_its_broker(self, joined: State):
        access = BrokerAccess(
            url=f"redis://127.0.0.1:{free_port()}/0", username="node", password="secret"
        )
        joined.keep_identity(msgspec.structs.replace(joined.identity(), broker=access))

        check = named(list(doctor.node(joined)), "broker")

        assert (check.outcome, "secret" in check.found) == (Outcome.WARNING, False)
