"""Write requirements.lock: what pip resolves from pyproject.toml in an empty environment.

A local version suffix (torch's +cpu) is left out: the CPU and the CUDA build share the lock.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ["hatchling", "editables"]  # for the editable install without another download


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"], *BUILD]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True)
    pins = [line.partition("+")[0] for line in frozen.stdout.splitlines()]
    (ROOT / "requirements.lock").write_text("# made by `make lock`\n" + "\n".join(pins) + "\n")


if __name__ == "__main__":
    sys.exit(main())
