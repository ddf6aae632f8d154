"""The console in a real browser, against a real installation: see frontend/test/e2e."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
PLAYWRIGHT = FRONTEND / "node_modules" / "@playwright" / "test" / "cli.js"
START_SECONDS = 120


def _needed() -> tuple[str, str]:
    """Node and Chromium; skips with what to do where one is missing."""
    beside_us = Path(sys.executable).parent  # where `./dev` puts Node on a machine without
    node = shutil.which("node", path=f"{beside_us}{os.pathsep}{os.environ['PATH']}")
    if node is None or not PLAYWRIGHT.exists() or not (FRONTEND / "dist" / "index.html").exists():
        pytest.skip("the console is not built: run ./dev test, or npm ci && npm run build")
    named = os.environ.get("DATAHALL_CHROMIUM")
    chromium = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium: install it (apt install chromium) or name it: DATAHALL_CHROMIUM")
    return node, chromium


def _bare_environment() -> dict[str, str]:
    """Ours without what the tests' own servers are called: the installation brings its own."""
    ours = ("DATAHALL_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A fresh installation, up; what its ready file says."""
    ready_file, log = tmp_path / "ready.json", tmp_path / "up.log"
    words = ["up", "--state", str(tmp_path / "state"), "--port", str(free_port())]
    words += ["--ready-file", str(ready_file), "--no-open"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "controlplane.cli", *words],
            cwd=ROOT,
            env=_bare_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready_file.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield json.loads(ready_file.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


class TestConsole:
    def test_shows_a_node_and_a_job_live(self, request: pytest.FixtureRequest) -> None:
        node, chromium = _needed()
        installation = request.getfixturevalue("installation")

        done = subprocess.run(
            [node, str(PLAYWRIGHT), "test"],
            cwd=FRONTEND,
            env=_bare_environment()
            | {
                "DATAHALL_URL": installation["url"],
                "DATAHALL_TOKEN": installation["token"],
                "DATAHALL_SIGN_IN_URL": installation["sign_in_url"],
                "DATAHALL_CHROMIUM": chromium,
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr
