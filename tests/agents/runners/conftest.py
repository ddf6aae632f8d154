import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents import runners

MAIN = Path(runners.__file__).with_name("__main__.py")


@dataclass(frozen=True)
class Ended:
    """A workload that ran to its end in a real process."""

    workspace: Path
    code: int
    log: str

    @property
    def failure(self) -> dict[str, Any]:
        return dict(json.loads((self.workspace / "told" / "failure.json").read_text()))

    def output(self, name: str) -> Any:
        return json.loads((self.workspace / "outputs" / name).read_text())

    def points(self, name: str) -> list[float]:
        lines = (self.workspace / "metrics.jsonl").read_text().splitlines()
        metrics = [json.loads(line)["metrics"] for line in lines]
        return [m[name] for m in metrics if name in m]


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def run(tmp_path: Path, environments: Path) -> Callable[..., Ended]:
    """Run a payload as the shim would, with the given files as its only input or as its code."""
    return partial(run_in, tmp_path / "workspace", environments)


def run_in(
    workspace: Path,
    environments: Path,
    payload: dict[str, Any],
    *,
    files: dict[str, bytes] | None = None,
    code: dict[str, bytes] | None = None,
    unpack: bool = False,
    model: Path | None = None,
) -> Ended:
    """The same in a given workspace, perhaps with a model version as another input."""
    for name in ("fetched", "fetched-code", "outputs", "checkpoints", "work"):
        (workspace / name).mkdir(parents=True)
    for folder, contents in (("fetched/data", files), ("fetched-code", code)):
        for path, body in (contents or {}).items():
            target = workspace / folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
    refs = [{"path": p, "digest": "", "size": len(b)} for p, b in (files or {}).items()]
    inputs: list[dict[str, Any]] = []
    if refs:
        inputs.append({"name": "data", "unpack": unpack, "files": refs})
    if model is not None:
        (workspace / "fetched" / "model").symlink_to(model)
        inputs.append({"name": "model", "files": []})
    spec = {
        "name": "test",
        "payload": payload,
        "resources": {"cpu_millis": 1000, "memory_bytes": 2**31},
        "inputs": inputs,
    }
    env = {
        "PATH": os.defpath,
        "OMP_NUM_THREADS": "1",
        "DATAHALL_INPUTS": str(workspace / "inputs"),
        "DATAHALL_OUTPUTS": str(workspace / "outputs"),
        "DATAHALL_METRICS_FILE": str(workspace / "metrics.jsonl"),
    }
    order = {
        "spec": spec,
        "workspace": str(workspace),
        "environments": str(environments),
        "env": env,
    }
    (workspace / "order.json").write_text(json.dumps(order))
    ended = subprocess.run(
        [sys.executable, "-I", MAIN, workspace],
        env=env,
        cwd=workspace / "work",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Ended(workspace, ended.returncode, ended.stdout)


def picture(shade: int = 0, size: tuple[int, int] = (12, 12), mode: str = "L") -> bytes:
    body = io.BytesIO()
    Image.new(mode, size, shade if mode == "L" else (shade, 0, 0)).save(body, "PNG")
    return body.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return body.getvalue()
