"""The road of the brief: digits in, a model out, and its weights worth what was registered."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import ROOT, Installation

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]


class TestDemo:
    def test_trains_a_model_that_is_as_good_outside(
        self, installation: Installation, tmp_path: Path
    ) -> None:
        demo = json.loads(installation.cli("demo", "--json").stdout)

        assert demo["test_accuracy"] >= 0.97
        installation.cli("models", "download", demo["model_version"], "--to", str(tmp_path))
        outside = subprocess.run(
            [
                *(sys.executable, ROOT / "examples/digits/evaluate.py"),
                *(tmp_path, ROOT / "examples/digits/digits.zip"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(outside.stdout) == {"accuracy": demo["test_accuracy"], "samples": 2000}
