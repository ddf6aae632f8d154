"""One real installation for the flow tests: what `datahall up` starts, in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy answer; fails with ``what`` when the patience is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


@dataclass(frozen=True)
class Installation:
    """A running control plane with this machine as its node, seen from outside."""

    state: Path
    url: str
    token: str
    launcher: int

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {"DATAHALL_URL": self.url, "DATAHALL_TOKEN": self.token}

    @property
    def api(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `datahall` command as a user would."""
        return subprocess.run(
            [sys.executable, "-m", "controlplane.cli", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=check,
        )

    def get(self, path: str, **params: Any) -> Any:
        with self.api as api:
            answer = api.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Any = None) -> httpx.Response:
        with self.api as api:
            return api.post(path, json=body)

    def submit_script(self, source: str, **more: Any) -> str:
        """Upload a one-file script and submit a job for it; gives the job's id."""
        body = source.encode()
        upload = self.post(
            "/projects/default/uploads", {"filename": "main.py", "size": len(body)}
        ).json()
        with self.api as api:
            sent = api.patch(
                httpx.URL(self.url).join(upload["url"]),
                content=body,
                headers={"Upload-Offset": "0"},
            )
            sent.raise_for_status()
        self.post(f"/projects/default/uploads/{upload['id']}/finish").raise_for_status()
        answer = self.post(
            "/projects/default/jobs",
            {"kind": "script", "code": upload["id"], "entrypoint": "main.py", **more},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def job(self, job: str) -> dict[str, Any]:
        return dict(self.get(f"/projects/default/jobs/{job}"))

    def wait_until(self, job: str, *states: str) -> dict[str, Any]:
        """The job once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            seen = self.job(job)
            over = seen["ended_at"] is not None and seen["state"] not in states
            assert not over, f"the job is {seen['state']}: {seen['reason']}\n{self.log(job)}"
            return seen if seen["state"] in states else None

        return wait_for(look, f"the job to be {' or '.join(states)}")

    def log(self, job: str) -> str:
        with self.api as api:
            return api.get(f"/projects/default/jobs/{job}/log/raw").text

    def points(self, job: str, name: str) -> list[list[float]]:
        answer = self.get(f"/projects/default/jobs/{job}/metrics", name=name)
        (series,) = answer["series"] or [{"points": []}]
        return list(series["points"])

    def agent_pid(self) -> int | None:
        """The daemon of this installation's node, found as an operator would: in the process list."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"agents.node" in words and any(str(self.state).encode() in w for w in words):
                return int(folder.name)
        return None


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    state = tmp_path_factory.mktemp("installation")
    ready, log = state / "ready-for-tests.json", state / "up.log"
    outside = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    with log.open("wb") as sink:
        launcher = subprocess.Popen(
            [
                *(sys.executable, "-m", "controlplane.cli", "up", "--no-open"),
                *("--state", str(state), "--port", str(free_port()), "--ready-file", str(ready)),
            ],
            cwd=ROOT,
            env=outside,
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:

        def up() -> dict[str, Any] | None:
            assert launcher.poll() is None, f"`up` ended:\n{log.read_text()[-4000:]}"
            return dict(json.loads(ready.read_text())) if ready.exists() else None

        facts = wait_for(up, "`up` to be ready")
        yield Installation(state, facts["url"], facts["token"], launcher.pid)
    finally:
        launcher.send_signal(signal.SIGINT)
        launcher.wait(60)


def _is_ours(name: str) -> bool:
    return name.startswith("DATAHALL_") or name in {
        "DATABASE_URL",
        "REDIS_URL",
        "DJANGO_SETTINGS_MODULE",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
