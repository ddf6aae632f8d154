"""A console that is slow to open is not looked at: what a browser loads first stays small."""

import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
MOST_KB = 300  # of everything before the home page shows something, compressed


def test_the_first_load_is_light():
    node = shutil.which("node")
    if node is None or not (FRONTEND / "dist" / ".vite" / "manifest.json").exists():
        pytest.skip("needs the built console: npm --prefix frontend run build")

    weighed = subprocess.run(
        [node, "tools/weight.mjs", str(MOST_KB)],
        cwd=FRONTEND,
        capture_output=True,
        text=True,
        check=False,
    )

    assert weighed.returncode == 0, weighed.stdout + weighed.stderr
