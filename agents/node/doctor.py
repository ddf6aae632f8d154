"""What a node needs, looked at one by one; nothing is changed.

`python -m agents.node doctor` on a node, and the part of `datahall doctor` that is about its host.
"""

import asyncio
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import redis

from agents.node import isolation
from agents.node.client import ControlPlane, Refused, Unavailable
from agents.node.clock import Clock
from agents.node.config import Identity, InUse, NotJoined, State
from agents.node.inventory import Hardware
from agents.node.limits import look_around
from agents.protocol.checks import Check, failed, not_here, ok, skew, warning

OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 28)  # of torch's wheels
LEAST_FREE_BYTES, LOW_FREE_BYTES = 1024**3, 10 * 1024**3
LEAST_FREE_INODES, LOW_FREE_INODES = 1000, 50_000
LEAST_FILES, LOW_FILES = 256, 1024
TORCH = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.device_count())"
TORCH_SECONDS = 120
BROKER_SECONDS = 5.0


def examine(state: State | None) -> list[Check]:
    """Everything that can be looked at from here."""
    folder = state.folder if state and state.folder.exists() else Path(tempfile.gettempdir())
    hardware = Hardware(state or State(folder))
    found = [python(), c_library(), kernel(), *room(folder), open_files()]
    found += [driver(hardware), devices(hardware), torch(len(hardware.devices)), sandbox()]
    return [*found, *(node(state) if state else ())]


# --- the host ------------------------------------------------------------------------------------


def python() -> Check:
    said = f"Python {platform.python_version()}"
    if sys.version_info < OLDEST_PYTHON:
        return failed("python", said, "Install Python 3.11 or newer, and Datahall for that.")
    return ok("python", said)


def c_library(version: Callable[[], tuple[str, str]] = platform.libc_ver) -> Check:
    if platform.system() != "Linux":
        return not_here("glibc", f"{platform.system()} has none")
    name, number = version()
    fix = "Use a distribution with glibc 2.28 or newer: torch is built for that."
    if name != "glibc":
        return failed("glibc", "this system's C library is another one", fix)
    if tuple(int(part) for part in number.split(".")[:2]) < OLDEST_GLIBC:
        return failed("glibc", f"glibc {number}", fix)
    return ok("glibc", f"glibc {number}")


def kernel() -> Check:
    said = f"{platform.system()} {platform.release()}"
    if platform.system() == "Linux" and not hasattr(os, "pidfd_open"):
        return failed("kernel", said, "Use Linux 5.3 or newer: processes are held by pidfd.")
    return ok("kernel", said)


def room(folder: Path) -> Iterator[Check]:
    """Space and file names left where everything is kept."""
    free = shutil.disk_usage(folder).free
    said = f"{free / 1024**3:.1f} GiB free under {folder}"
    fix = f"Free space, or move the folder to a larger disk: du -xh --max-depth=2 {folder}"
    if free < LEAST_FREE_BYTES:
        yield failed("disk", said, fix)
    else:
        yield warning("disk", said, fix) if free < LOW_FREE_BYTES else ok("disk", said)
    status = os.statvfs(folder)
    if not status.f_files:
        yield not_here("inodes", "this file system has no limit of them")
        return
    said, fix = f"{status.f_favail:,} file names free", f"Delete small files: find {folder} -xdev"
    if status.f_favail < LEAST_FREE_INODES:
        yield failed("inodes", said, fix)
    else:
        yield (
            warning("inodes", said, fix)
            if status.f_favail < LOW_FREE_INODES
            else ok("inodes", said)
        )


def open_files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = "no limit of open files" if soft == resource.RLIM_INFINITY else f"{soft} open files"
    fix = "Raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit"
    if soft != resource.RLIM_INFINITY and soft < LEAST_FILES:
        return failed("open files", said, fix)
    if soft != resource.RLIM_INFINITY and soft < LOW_FILES:
        return warning("open files", said, fix)
    return ok("open files", said)


# --- what computes -------------------------------------------------------------------------------


def driver(hardware: Hardware) -> Check:
    number = hardware.facts.get("driver")
    if number:
        return ok("driver", f"NVIDIA {number}, CUDA {hardware.facts.get('cuda')}, told by NVML")
    if Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi"):
        return failed(
            "driver",
            "the NVIDIA driver is installed and NVML does not answer",
            "Look at what it says: nvidia-smi; dmesg | grep -i nvrm",
        )
    return not_here("driver", "no NVIDIA driver: work runs on the CPU")


def devices(hardware: Hardware) -> Check:
    names = [device.name for device in hardware.devices if not device.simulated]
    if names:
        return ok("gpus", f"{len(names)}: {', '.join(sorted(set(names)))}")
    if hardware.facts.get("driver"):
        return failed("gpus", "the driver shows no GPU", "Look for them: lspci | grep -i nvidia")
    return not_here("gpus", "no GPU")


def torch(gpus: int, program: str = TORCH) -> Check:
    """Whether torch really loads: asked in a process of its own, since it may take that down."""
    fix = f"Install it again: {sys.executable} -m pip install --force-reinstall datahall"
    try:
        answer = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=TORCH_SECONDS,
            check=True,
        )
        version, cuda, count = answer.stdout.split()
    except subprocess.TimeoutExpired:
        return failed("torch", f"import torch took more than {TORCH_SECONDS} s", fix)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return failed("torch", lines[-1] if lines else f"ended with {error.returncode}", fix)
    except ValueError:
        return failed("torch", "it says something unexpected of itself", fix)
    said = f"torch {version}, CUDA {cuda}, sees {count} GPUs"
    if int(count) < gpus:
        return failed(
            "torch", f"{said} of {gpus}", "The driver may be too old for this CUDA: nvidia-smi"
        )
    return ok("torch", said)


def sandbox(
    choose: Callable[[isolation.Wanted, Path], isolation.Isolation] = isolation.choose,
) -> Check:
    """What jobs would be isolated by: tried, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = choose(isolation.Wanted.AUTO, Path(folder))
    held = ", ".join(look_around().held) or "no limit of memory or processes"
    if chosen.reason is None:
        return ok("isolation", f"{chosen.profile.value} works; held: {held}")
    if chosen.reason.code == "isolation_not_installed":
        fix = "Install bubblewrap, or trust whoever submits jobs: apt install bubblewrap"
        return warning("isolation", "jobs are not isolated: no bubblewrap", fix)
    return warning(
        "isolation",
        f"jobs are not isolated: {chosen.reason.params.get('detail', chosen.reason.code)}",
        "Allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1",
    )


# --- the node ------------------------------------------------------------------------------------


def node(state: State) -> Iterator[Check]:
    """Who it is, whether it works, and whom it reaches."""
    try:
        identity = state.identity()
    except NotJoined:
        yield not_here(
            "node", f"{state.folder} has joined no installation", "datahall nodes join URL TOKEN"
        )
        return
    yield ok("node", f"{identity.name} of {identity.url}")
    yield agent(state)
    yield journal(state)
    yield from asyncio.run(_control_plane(identity, state))
    yield broker(identity)


def agent(state: State) -> Check:
    try:
        os.close(state.lock())
    except InUse:
        return ok("agent", f"at work in {state.folder}")
    run = f"{sys.executable} -m agents.node run --state {state.folder}"
    return failed("agent", f"no agent is at work in {state.folder}", f"Start it: {run}")


def journal(state: State) -> Check:
    if not state.database.exists():
        return not_here("journal", "nothing is written down yet")
    try:
        with closing(sqlite3.connect(f"file:{state.database}?mode=ro", uri=True)) as database:
            (sound,) = database.execute("PRAGMA quick_check(1)").fetchone()
            (open_,) = database.execute("SELECT count(*) FROM claims WHERE NOT settled").fetchone()
            (reports,) = database.execute("SELECT count(*) FROM reports").fetchone()
            (blocks,) = database.execute("SELECT count(*) FROM blocks").fetchone()
    except sqlite3.Error as error:
        sound = str(error)
    if sound != "ok":
        return failed(
            "journal",
            f"{state.database}: {sound}",
            "Stop the agent, move the file away and start it: work that runs here is run again",
        )
    return ok("journal", f"{open_} workloads open, {reports} reports and {blocks} blocks to send")


async def _control_plane(identity: Identity, state: State) -> list[Check]:
    clock = Clock()
    plane = ControlPlane(identity, state.key(), clock)
    try:
        await plane.token()
    except Unavailable as error:
        fix = f"Look whether it runs there: curl {identity.url}/readyz"
        return [failed("control plane", f"{identity.url} does not answer: {error}", fix)]
    except Refused as refused:
        why = refused.problem.detail or refused.problem.code or str(refused.status)
        return [failed("control plane", why, "Join anew, with a fresh token and an empty folder")]
    finally:
        await plane.close()
    return [
        ok("control plane", f"{identity.url} knows this node{await _version(identity.url)}"),
        skew("clock", -clock.offset),
    ]


async def _version(url: str) -> str:
    """Its version, where it tells one; older ones do not."""
    try:
        async with httpx.AsyncClient(timeout=10) as http:
            number = (await http.get(f"{url}/healthz")).json().get("version")
    except (httpx.HTTPError, ValueError, AttributeError):
        return ""
    return f", version {number}" if number else ""


def broker(identity: Identity) -> Check:
    access = identity.broker
    if access is None:
        return not_here("broker", "none was given: the node pulls its orders")
    with closing(
        redis.Redis.from_url(
            access.url,
            username=access.username,
            password=access.password,
            socket_timeout=BROKER_SECONDS,
            socket_connect_timeout=BROKER_SECONDS,
        )
    ) as client:
        try:
            client.ping()
        except redis.exceptions.NoPermissionError:
            pass  # it answers, and knows who we are
        except redis.RedisError as error:
            # the node pulls as well: it only gets its orders later
            fix = "Orders come by pulling meanwhile. Look whether the broker runs, and its port"
            return warning("broker", f"{access.url}: {error}", fix)
    return ok("broker", f"{access.url} lets this node in")
