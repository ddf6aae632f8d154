import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agents.node.config import Identity, State, public_key_of
from agents.protocol.base import Resources
from agents.protocol.specs import FileRef, ScriptSpec, WorkloadSpec
from tests.agents.node.double import Double

ROOT = Path(__file__).parents[3]


@pytest.fixture
def plane() -> Iterator[Double]:
    double = Double()
    double.start()
    yield double
    double.stop()


class Agent:
    """A real daemon in a process of its own, on a folder that outlives it."""

    def __init__(self, folder: Path, plane: Double) -> None:
        self.state = State(folder)
        self.state.prepare()
        self.plane = plane
        self.isolation = "none"  # most payloads of these tests write beside their workspace
        self.process: subprocess.Popen[bytes] | None = None
        key = public_key_of(self.state.key())
        plane._know(base64.b64decode(key))
        self.state.keep_identity(
            Identity(
                node=plane.node,
                name="node",
                url=plane.url,
                signing_keys={plane.kid: plane.public_key},
            )
        )

    def start(self, *arguments: str, env: dict[str, str] | None = None, **popen: Any) -> None:
        with (self.state.folder / "agent.log").open("ab") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "agents.node", "run"),
                    *("--state", str(self.state.folder), "--isolation", self.isolation),
                    *arguments,
                ],
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdout=said,
                stderr=said,
                **popen,
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for path in self.state.workloads.glob("*/started.json"):
            for name in ("payload", "shim"):  # what a failed test left running
                with suppress(ProcessLookupError):
                    os.kill(json.loads(path.read_text())[name]["pid"], signal.SIGKILL)


@pytest.fixture
def agent(tmp_path: Path, plane: Double) -> Iterator[Agent]:
    one = Agent(tmp_path / "node", plane)
    yield one
    one.close()


@pytest.fixture
def script(plane: Double) -> Callable[..., WorkloadSpec]:
    """The spec of a one-file script whose code is in the double's store."""

    def make(code: str, *arguments: str, **more: Any) -> WorkloadSpec:
        body = code.encode()
        return WorkloadSpec(
            name="a job",
            payload=ScriptSpec(
                code=FileRef(path="main.py", digest=plane.put(body), size=len(body)),
                entrypoint="main.py",
                arguments=list(arguments),
            ),
            resources=Resources(cpu_millis=1000, memory_bytes=2**30),
            **more,
        )

    return make
