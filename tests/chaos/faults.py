"""What can happen to an installation: each fault is a small object in ``FAULTS``.

To add one, register it::

    register(Fault("web-stopped", inject=..., heal=..., lasts_seconds=5.0))

``inject`` gets the site, the moment that was waited for and a seeded random; it does the deed and
says in a few words what it did (kept in the ledger), or raises ``NoTarget`` if there is nothing to
do it to: then the driver tries again later. ``heal`` is called ``lasts_seconds`` later with what
``inject`` said; the driver goes on meanwhile unless the fault ``stops_all``.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import redis

from tests.chaos.site import NoTarget, Site

SUBMIT, RUN, END = PHASES = ("submit", "run", "end")
SHIM_WAIT_SECONDS = 2.0

Said = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """What was waited for: a job at this point of its life."""

    phase: str
    key: str
    workload: str | None = None  # once it runs


@dataclass(frozen=True)
class Fault:
    """One kind of thing that can happen."""

    name: str
    inject: Callable[[Site, Moment, random.Random], Said]
    heal: Callable[[Site, Said], None] | None = None
    lasts_seconds: float = 0.0
    phases: tuple[str, ...] = PHASES
    share: int = 2  # how often, next to the others
    stops_all: bool = False  # nothing else can be done to the site meanwhile


FAULTS: dict[str, Fault] = {}


def register(fault: Fault) -> Fault:
    assert fault.name not in FAULTS, fault.name
    FAULTS[fault.name] = fault
    return fault


# --- kill -9 -------------------------------------------------------------------------------------


def killer(*parts: str) -> Callable[[Site, Moment, random.Random], Said]:
    """Kills a process of one of these parts."""

    def inject(site: Site, moment: Moment, dice: random.Random) -> Said:
        part = dice.choice(parts)
        return {"part": part, "pid": _kill(site.process(part))}

    return inject


for service in ("web", "gateway", "controller", "worker", "postgres", "valkey"):
    register(Fault(service, killer(service)))
register(Fault("agent", killer("agent:home", "agent:away")))
register(Fault("letterbox", killer("letterbox:home", "letterbox:away")))


def kill_payload(site: Site, moment: Moment, dice: random.Random) -> Said:
    workload, shim = _shim_of(site, moment)
    return {"workload": workload, "pid": _kill(_payload_of(shim))}


def kill_shim(site: Site, moment: Moment, dice: random.Random) -> Said:
    workload, shim = _shim_of(site, moment)
    return {"workload": workload, "pid": _kill(shim)}


register(Fault("payload", kill_payload))
register(Fault("shim", kill_shim))


def _shim_of(site: Site, moment: Moment) -> tuple[str, psutil.Process]:
    """The moment's shim, with its workload. At ``submit`` there is none: the next to appear."""
    known = {process.pid for process in site.processes("shim")} if moment.workload is None else ()
    deadline = time.monotonic() + SHIM_WAIT_SECONDS
    while time.monotonic() < deadline:
        for shim in site.processes("shim"):
            with suppress(psutil.NoSuchProcess, StopIteration):
                workload = _workload_of(shim)
                if workload == moment.workload or (not moment.workload and shim.pid not in known):
                    return workload, shim
        if moment.workload is not None:
            break  # it is there, or it is gone
        time.sleep(0.02)
    raise NoTarget("shim")


def _workload_of(shim: psutil.Process) -> str:
    """A shim is started with the path of its workspace, which is called as the workload."""
    line = shim.cmdline()
    return next(Path(word).name for word in line if "/workloads/" in word)


def _payload_of(shim: psutil.Process) -> psutil.Process:
    """The innermost of what the shim holds: between them may be a box and a runner."""
    deadline = time.monotonic() + SHIM_WAIT_SECONDS
    with suppress(psutil.NoSuchProcess):
        while time.monotonic() < deadline:
            if below := shim.children(recursive=True):
                return below[-1]
            time.sleep(0.02)
    raise NoTarget("payload")


def _kill(process: psutil.Process) -> int:
    try:
        process.kill()
    except psutil.NoSuchProcess as error:
        raise NoTarget(str(process.pid)) from error
    return int(process.pid)


# --- the servers ---------------------------------------------------------------------------------


def flush(site: Site, moment: Moment, dice: random.Random) -> Said:
    """Every queue is gone, and every user of the broker stays."""
    try:
        with site.valkey() as valkey:
            keys = valkey.dbsize()
            valkey.flushall()
    except redis.RedisError as error:
        raise NoTarget("valkey") from error
    return {"keys": keys}


def restart_postgres(site: Site, moment: Moment, dice: random.Random) -> Said:
    """As an administrator would: every session is ended, the state is written down."""
    server = site.process("postgres")
    with suppress(psutil.NoSuchProcess):
        server.send_signal(signal.SIGINT)
        return {"pid": server.pid}
    raise NoTarget("postgres")


register(Fault("flush", flush))
register(Fault("postgres-restart", restart_postgres))


# --- the whole control plane ---------------------------------------------------------------------


def stop_plane(site: Site, moment: Moment, dice: random.Random) -> Said:
    """Stopped in order, by whoever upgrades it."""
    assert site.up is not None
    lives = _alive(site)
    code = site.up.stop(signal.SIGTERM)
    return {"exit": code, "alive_before": lives, "alive_after": _alive(site)}


def kill_plane(site: Site, moment: Moment, dice: random.Random) -> Said:
    assert site.up is not None
    lives = _alive(site)
    site.up.stop(signal.SIGKILL)
    return {"alive_before": lives, "alive_after": _alive(site)}


def start_plane(site: Site, said: Said) -> None:
    site.start()


def _alive(site: Site) -> int:
    """Payloads of the second host."""
    return sum(str(site.away.state) in " ".join(shim.cmdline()) for shim in _living(site))


def _living(site: Site) -> Iterator[psutil.Process]:
    for shim in site.processes("shim"):
        with suppress(psutil.NoSuchProcess):
            shim.cmdline()
            yield shim


def plane_faults(seconds: float) -> dict[str, Fault]:
    """The end of the whole control plane for a while: how long depends on how long one may wait."""
    return {
        name: Fault(
            name,
            inject,
            heal=start_plane,
            lasts_seconds=seconds,
            phases=(RUN,),
            share=0,  # the storm places them itself
            stops_all=True,
        )
        for name, inject in (("plane-stop", stop_plane), ("plane-kill", kill_plane))
    }
