"""The doctor beside the control plane: ports, servers, and the API that is signed in to."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import __version__
from agents.protocol.checks import Outcome
from controlplane.cli import doctor
from controlplane.cli.__main__ import main
from controlplane.cli.config import Login
from controlplane.cli.embedded.installation import Installation, locked
from tests.servers import free_port


def outcomes(found) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in found}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


class TestAnInstallation:
    def test_may_be_none(self, tmp_path: Path):
        found = outcomes(doctor.installation(tmp_path))

        assert found["installation"] is Outcome.NOT_HERE

    def test_cannot_start_on_a_port_that_another_has(self, tmp_path: Path, taken: int):
        Installation.open(tmp_path, port=taken)

        found = outcomes(doctor.installation(tmp_path))

        assert found["installation"] is Outcome.NOT_HERE
        assert found["web port"] is Outcome.FAILED
        assert found["database port"] is Outcome.OK

    def test_runs_without_its_servers(self, tmp_path: Path):
        Installation.open(tmp_path, port=free_port())

        with locked(tmp_path):  # as `datahall up` holds it
            found = outcomes(doctor.installation(tmp_path))

        assert set(found.values()) == {Outcome.FAILED}
        assert found.keys() == {"database", "broker of ours", "web", "gateway"}


class Server(BaseHTTPRequestHandler):
    ahead = 0.0
    version = __version__

    def do_GET(self) -> None:  # the base class's name for it
        status = 401 if self.path.startswith("/api") else 200
        body = json.dumps({"status": "ok", "version": self.version}).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(time.time() + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Server]]:
    class Mine(Server):
        url = ""

    with HTTPServer(("127.0.0.1", 0), Mine) as http:
        Mine.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=[0.05])
        thread.start()
        yield Mine
        http.shutdown()
        thread.join()


class TestTheApi:
    def test_is_of_this_version_and_in_time(self, server):
        found = outcomes(doctor.api_of(Login(server.url, "token")))

        assert (found["api"], found["version"]) == (Outcome.OK, Outcome.OK)
        assert found["api clock"] is Outcome.OK

    def test_has_another_time(self, server):
        server.ahead = 90

        assert outcomes(doctor.api_of(Login(server.url, "token")))["api clock"] is Outcome.FAILED

    def test_is_of_another_version(self, server):
        server.version = "99.0"

        assert outcomes(doctor.api_of(Login(server.url, "token")))["version"] is Outcome.WARNING

    def test_refuses_the_token(self, server):
        assert outcomes(doctor.api_of(Login(server.url, "old")))["token"] is Outcome.FAILED

    def test_does_not_answer(self):
        login = Login(f"http://127.0.0.1:{free_port()}", "")

        assert outcomes(doctor.api_of(login)) == {"api": Outcome.FAILED}


def test_what_failed_is_told_to_programs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATAHALL_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("DATAHALL_TOKEN", "any")

    ran = CliRunner().invoke(main, ["doctor", "--json", "--state", str(tmp_path)])

    told = json.loads(ran.stdout)
    assert (ran.exit_code, told["ok"]) == (1, False)
    found = {check["name"]: check for check in told["checks"]}
    assert found["torch"]["outcome"] == "ok"
    assert found["api"]["outcome"] == "failed"
    assert "curl" in found["api"]["fix"]
