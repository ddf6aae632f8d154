"""Virtual environments for scripts, kept by a hash of what they were built from.

A script sees its own requirements first, then the packages of this node (torch and what comes with
it), and never ours: the node's are reached through a folder of links that leaves ours out.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.protocol.workloads import Cause
from agents.runners.failure import Failure

OURS = frozenset({"agents", "apps", "controlplane", "tests"})
READY = ".ready"


def ensure(requirements: list[str], cache: Path) -> Path:
    """The Python of an environment with these requirements (PEP 508 lines), built once."""
    folder = cache / _key(requirements)
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{folder.name}.lock"):
        if not (folder / READY).exists():
            shutil.rmtree(folder, ignore_errors=True)  # a build that was cut off
            _build(folder, requirements)
            (folder / READY).touch()
    return folder / "bin" / "python"


def _key(requirements: list[str]) -> str:
    made_of = [sys.version, sysconfig.get_path("purelib"), sorted(requirements)]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]


def _build(folder: Path, requirements: list[str]) -> None:
    own_pip = importlib.util.find_spec("pip") is None  # ours can install into theirs
    venv.create(folder, symlinks=True, with_pip=own_pip and bool(requirements))
    (site,) = folder.glob("lib/python*/site-packages")
    base = folder / "node-packages"
    _link_packages(base)
    (site / "node-packages.pth").write_text(f"{base}\n")
    if requirements:
        _install(folder / "bin" / "python", requirements, own_pip=own_pip)


def _link_packages(base: Path) -> None:
    """Links to everything installed beside us. A path in a .pth does not have its own .pth files
    read, so an editable install of ours stays invisible too."""
    base.mkdir()
    for library in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(library).iterdir():
            ours = entry.name in OURS or entry.name.startswith("datahall-")
            if not ours and entry.suffix != ".pth":
                (base / entry.name).symlink_to(entry)


def _install(python: Path, requirements: list[str], *, own_pip: bool) -> None:
    pip = (
        [str(python), "-m", "pip"]
        if own_pip
        else [sys.executable, "-m", "pip", "--python", str(python)]
    )
    command = [*pip, "install", "--no-input", "--disable-pip-version-check", "--", *requirements]
    spare = python.parents[1] / "tmp"  # wheels are larger than a /tmp in memory
    spare.mkdir()
    ended = subprocess.run(command, check=False, env=os.environ | {"TMPDIR": str(spare)})
    shutil.rmtree(spare, ignore_errors=True)
    if ended.returncode:  # its output is in the log
        raise Failure(
            "requirements_failed", cause=Cause.ENVIRONMENT, requirements=", ".join(requirements)
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
