"""One real installation for the flow tests: what `datahall up` starts, in a folder of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.flows.installation import ROOT, Up, until
from tests.flows.watcher import Watcher
from tests.servers import free_port

T = TypeVar("T")
PATIENCE_SECONDS = 120


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first truthy answer; fails with ``what`` when the patience is over."""
    try:
        return until(look, seconds)  # type: ignore[no-any-return]
    except AssertionError as error:
        raise AssertionError(f"waited {seconds:.0f} s in vain for {what}: {error}") from None


@dataclass(frozen=True)
class Installation:
    """A running control plane with this machine as its node, seen from outside."""

    state: Path
    url: str
    token: str
    shared: Path | None = None  # a folder that payloads may write into

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

    def node(self) -> dict[str, Any]:
        """This machine, as a node."""
        identity = json.loads((self.state / "node" / "identity.json").read_text())
        return dict(self.get(f"/nodes/{identity['node']}"))

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
        """The daemon of this installation's node, found in the process list."""
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
    state = tmp_path_factory.mktemp("installation") / "state"
    shared = tmp_path_factory.mktemp("shared")
    up = Up(state, free_port(), shared=shared)
    try:
        ready = up.wait_until_ready()
        yield Installation(state, ready["url"], ready["token"], shared)
    finally:
        up.stop()


@pytest.fixture
def shared(installation: Installation) -> Path:
    """A folder of this test's own that payloads reach too."""
    return Path(tempfile.mkdtemp(dir=installation.shared))


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever followed a flow test live holds at its end exactly what a fresh read gives."""
    if "installation" not in request.fixturenames:
        yield
        return
    seen: Installation = request.getfixturevalue("installation")
    with Watcher(seen.url, seen.token) as watcher:
        yield
        watcher.check()
