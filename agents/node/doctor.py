"""What a node needs, and what is here."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from agents.node import isolation, limits
from agents.node.config import NotJoined, State
from agents.node.inventory import Hardware
from agents.telemetry import host

TORCH = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.device_count())"
TORCH_SECONDS = 120


def examine(state: State | None) -> dict[str, Any]:
    """Facts as they are; nothing is changed."""
    folder = state.folder if state and state.folder.exists() else Path(tempfile.gettempdir())
    hardware = Hardware(state or State(folder))
    room = host.capacity(folder)
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "pidfd": hasattr(os, "pidfd_open"),
        "bubblewrap": shutil.which("bwrap"),
        "isolation": _isolation(),
        "cpu_millis": room.cpu_millis,
        "memory_bytes": room.memory_bytes,
        "disk_free_bytes": shutil.disk_usage(folder).free,
        "driver": hardware.facts.get("driver"),
        "cuda": hardware.facts.get("cuda"),
        "devices": [{"uuid": d.uuid, "name": d.name} for d in hardware.devices],
        "torch": _torch(),
        "joined": _joined(state),
    }


def _isolation() -> dict[str, Any]:
    """What jobs would be isolated by: tried, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = isolation.choose(isolation.Wanted.AUTO, Path(folder))
    return {
        "profile": chosen.profile.value,
        "reason": chosen.reason and msgspec.to_builtins(chosen.reason),
        "limits": limits.look_around().held,
    }


def _torch() -> dict[str, Any]:
    """Whether torch really loads: asked in a process of its own, since it may take that down."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", TORCH],
            capture_output=True,
            text=True,
            timeout=TORCH_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"loads": False, "error": f"import torch took more than {TORCH_SECONDS} s"}
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return {"loads": False, "error": lines[-1] if lines else f"exit {error.returncode}"}
    version, cuda, count = answer.stdout.split()
    return {"loads": True, "version": version, "cuda": cuda, "cuda_devices": int(count)}


def _joined(state: State | None) -> str | None:
    try:
        return state.identity().url if state else None
    except NotJoined:
        return None
