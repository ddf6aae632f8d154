"""The console in a real browser, against a real installation: see frontend/test/e2e."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.installation import Up
from tests.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
PLAYWRIGHT = FRONTEND / "node_modules" / "@playwright" / "test" / "cli.js"


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


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A fresh installation with two simulated GPUs, up; what its ready file says."""
    up = Up(tmp_path / "state", free_port(), "--simulate-gpus", "2")
    try:
        yield up.wait_until_ready()
    finally:
        up.stop()


class TestConsole:
    def test_holds_its_roads(self, request: pytest.FixtureRequest) -> None:
        node, chromium = _needed()
        installation = request.getfixturevalue("installation")

        done = subprocess.run(
            [node, str(PLAYWRIGHT), "test"],
            cwd=FRONTEND,
            env=dict(os.environ)
            | {
                "DATAHALL_URL": installation["url"],
                "DATAHALL_TOKEN": installation["token"],
                "DATAHALL_SIGN_IN_URL": installation["sign_in_url"],
                "DATAHALL_CHROMIUM": chromium,
            },
            check=False,
        )

        # its report goes where pytest's does: below where it fails, to the terminal with -s
        assert done.returncode == 0, "a road is broken: see Playwright's report"
