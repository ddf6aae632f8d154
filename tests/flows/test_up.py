"""`datahall up`: everything comes up, stays up, keeps its data, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.flows.installation import ROOT, Up, api, until
from tests.servers import free_port

pytestmark = [pytest.mark.xdist_group("up"), pytest.mark.timeout(300)]

SERVICES = {
    "postgres": "bin/postgres",
    "valkey": "valkey-server",
    "web": "controlplane.asgi",
    "gateway": "controlplane.gateway",
    "controller": "controlplane.controller",
    "worker": "celery",
    "agent": "agents.node",
}


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    private = tmp_path_factory.mktemp("up")
    private.chmod(0o700)
    return private / "state"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def running(state, port) -> Iterator[Up]:
    up = Up(state, port, "--ready-file", str(state.with_name("told.json")))
    try:
        up.wait_until_ready()
        yield up
    finally:
        up.stop()
        until(lambda: not up.left())


@pytest.fixture
def ready(running) -> dict:
    return running.wait_until_ready()


class TestRunning:
    def test_says_who_may_do_what_in_files_for_the_owner_alone(self, running, ready, state):
        told = state.with_name("told.json")

        assert told.read_text() == (state / "ready.json").read_text()
        assert set(ready) == {"url", "token", "sign_in_url", "state", "pid"}
        for file in (told, state / "ready.json", state / "embedded.json"):
            assert file.stat().st_mode & 0o777 == 0o600

    def test_signs_the_operator_in_once(self, ready):
        with httpx.Client(base_url=ready["url"]) as browser:
            assert browser.get(ready["sign_in_url"]).status_code == 302
            assert browser.get("/api/v1/session").json()["user"]["is_operator"]
        with httpx.Client(base_url=ready["url"]) as stranger:
            stranger.get(ready["sign_in_url"])
            assert stranger.get("/api/v1/session").status_code == 401

    def test_has_this_machine_as_a_node(self, ready):
        with api(ready) as client:
            (node,) = client.get("/nodes").json()["results"]

        assert node["contact"] == "fresh"
        assert node["cpu_millis"] == len(psutil.Process().cpu_affinity()) * 1000

    def test_refuses_a_second_starter(self, running, state, port):
        second = _up(state, port)

        assert second.returncode == 1
        assert f"already runs in {state} (process {running.process.pid})" in second.stderr

    def test_gives_the_agent_none_of_the_control_planes_secrets(self, running):
        environment = running.service("agents.node").environ()

        assert not {"DATABASE_URL", "REDIS_URL", "DATAHALL_SECRET_KEY"} & set(environment)

    def test_starts_again_whatever_is_killed(self, running, ready):
        killed = {name: running.service(words) for name, words in SERVICES.items()}
        for process in killed.values():
            process.kill()
        psutil.wait_procs(list(killed.values()))

        with api(ready) as client:
            until(lambda: _nodes(client) == ["fresh"] and client.get("/session").is_success)
        until(lambda: len(running.children()) == len(SERVICES))
        assert all(running.service(words) for words in SERVICES.values())


@pytest.fixture
def start() -> Iterator[Callable[[Path, int], Up]]:
    """Starters that are ended with the test, whatever happens in it."""
    started: list[Up] = []

    def begin(state: Path, port: int) -> Up:
        started.append(Up(state, port))
        return started[-1]

    yield begin
    for up in started:
        up.stop(signal.SIGKILL)
        until(lambda up=up: not up.left())


class TestStopping:
    def test_keeps_its_data_and_leaves_nothing_behind(self, start, tmp_path):
        state, port = tmp_path / "state", free_port()
        first = start(state, port)
        told = first.wait_until_ready()
        with api(told) as client:
            made = client.post("/projects", json={"slug": "kept", "name": "Kept"})
            assert made.status_code == 201
            (node,) = client.get("/nodes").json()["results"]
        assert first.stop(signal.SIGINT) == 0
        assert first.left() == []
        assert not (state / "ready.json").exists()

        # and once more, this time without a chance to tidy up
        second = start(state, port)
        again = second.wait_until_ready()
        assert again["token"] == told["token"]
        with api(again) as client:
            assert client.get("/projects/kept").json()["name"] == "Kept"
            (same,) = client.get("/nodes").json()["results"]
            assert same["id"] == node["id"]
        second.stop(signal.SIGKILL)
        until(lambda: second.left() == [])

        third = start(state, another := free_port())
        moved = third.wait_until_ready()
        assert moved["url"].endswith(f":{another}")
        with api(moved) as client:
            (same,) = client.get("/nodes").json()["results"]
            assert (same["id"], same["contact"]) == (node["id"], "fresh")
        assert third.stop(signal.SIGTERM) == 0
        assert third.left() == []

    def test_stops_while_it_is_still_starting(self, start, tmp_path):
        up = start(tmp_path / "state", free_port())
        until(lambda: "postgres is up" in up.output.read_text())

        assert up.stop() == 0
        assert up.left() == []


class TestRefusals:
    def test_says_that_its_port_is_taken(self, tmp_path, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            refused = _up(tmp_path / "state", port)

        assert refused.returncode == 1
        assert f"port {port} of the web server is in use: choose another one" in refused.stderr
        assert "Traceback" not in refused.stderr

    def test_says_that_its_state_is_damaged(self, tmp_path):
        state = tmp_path / "state"
        state.mkdir()
        (state / "embedded.json").write_text("{")

        refused = _up(state, free_port())

        assert refused.returncode == 1
        assert f"{state}/embedded.json is damaged" in refused.stderr
        assert "Traceback" not in refused.stderr


def _up(state: Path, port: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            *(sys.executable, "-m", "controlplane.cli", "up", "--no-open"),
            *("--state", str(state), "--port", str(port)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _nodes(client: httpx.Client) -> list[str]:
    try:
        answer = client.get("/nodes")
    except httpx.TransportError:
        return []
    return [node["contact"] for node in answer.json()["results"]] if answer.is_success else []
