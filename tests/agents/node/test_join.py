import json
import subprocess
import sys
from pathlib import Path

from agents.node.config import State
from tests.agents.node.conftest import ROOT
from tests.agents.node.double import Double


def node(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agents.node", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class TestJoin:
    def test_buys_an_identity_for_a_key_made_here(self, plane: Double, tmp_path: Path) -> None:
        folder = tmp_path / "node"

        joined = node("join", plane.url, plane.join_token, "--state", str(folder), "--name", "n1")

        assert joined.returncode == 0, joined.stderr
        assert json.loads(joined.stdout) == {"node": str(plane.node), "name": "n1"}
        identity = State(folder).identity()
        assert (identity.node, identity.url) == (plane.node, plane.url)
        assert folder.stat().st_mode & 0o777 == 0o700
        for name in ("node.key", "identity.json"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600

    def test_a_refused_token_leaves_no_identity(self, plane: Double, tmp_path: Path) -> None:
        joined = node("join", plane.url, "wrong", "--state", str(tmp_path / "node"))

        assert joined.returncode == 1
        assert "join_token_refused" in joined.stderr
        assert not (tmp_path / "node" / "identity.json").exists()

    def test_says_when_nobody_answers(self, tmp_path: Path) -> None:
        joined = node("join", "http://127.0.0.1:9", "token", "--state", str(tmp_path / "node"))

        assert joined.returncode == 1
        assert "does not answer" in joined.stderr

    def test_joins_once(self, plane: Double, tmp_path: Path) -> None:
        folder = str(tmp_path / "node")
        node("join", plane.url, plane.join_token, "--state", folder)

        again = node("join", plane.url, plane.join_token, "--state", folder)

        assert again.returncode == 1
        assert "joined" in again.stderr


class TestRun:
    def test_says_when_it_has_not_joined(self, tmp_path: Path) -> None:
        ran = node("run", "--state", str(tmp_path / "node"))

        assert ran.returncode == 1
        assert "nodes join" in ran.stderr

    def test_two_agents_never_share_a_folder(self, tmp_path: Path) -> None:
        state = State(tmp_path / "node")
        state.prepare()
        state.lock()

        ran = node("run", "--state", str(state.folder))

        assert ran.returncode == 1
        assert "another agent" in ran.stderr


class TestDoctor:
    def test_says_what_is_here(self, tmp_path: Path) -> None:
        ran = node("doctor", "--json", "--state", str(tmp_path))

        found = {check["name"]: check["outcome"] for check in json.loads(ran.stdout)}
        assert ran.returncode == 0
        assert (found["python"], found["torch"], found["node"]) == ("ok", "ok", "not here")
