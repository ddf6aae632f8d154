"""The agent: wires its parts together and keeps them going until it is told to end."""

import asyncio
import contextlib
import logging
import shutil
import signal
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

import agents
from agents.node import isolation
from agents.node.client import ControlPlane
from agents.node.clock import Clock
from agents.node.config import Identity, State, verification_keys
from agents.node.database import Database
from agents.node.faults import Faults
from agents.node.inventory import Hardware
from agents.node.isolation import Isolation
from agents.node.journal import Journal
from agents.node.letterbox import Letterbox
from agents.node.limits import Limits, look_around
from agents.node.link import Link
from agents.node.orders import Orders, Pull
from agents.node.spool import Spool
from agents.node.store import Store
from agents.node.supervisor import Supervisor
from agents.node.workload import Surroundings, until_readable
from agents.protocol import PROTOCOL_VERSION
from agents.protocol import link as link_protocol
from agents.protocol.link import Hello, Live
from agents.telemetry import host
from agents.telemetry.events import Events
from agents.telemetry.sampler import PackedBlock, Sampler

log = logging.getLogger(__name__)

STORE_SHARE = 0.25  # of the disk, for artifacts that may be needed again
LEAST_STORE_BYTES = 1024**3
PATIENCE_SECONDS = 20.0  # for the ends of workloads to be told when everything stops
KEEP_POSITIONS_SECONDS = 2.0


@dataclass(frozen=True)
class Options:
    use_broker: bool = True
    use_pull: bool = True
    simulated_gpus: int = 0
    advertise_host: str = ""
    isolation: Isolation = field(default_factory=isolation.none)


class Daemon:
    """One agent on one state folder."""

    def __init__(self, state: State, options: Options, environment: Mapping[str, str]) -> None:
        self._state = state
        self._options = options
        self._identity: Identity = state.identity()
        lifeline = environment.get("DATAHALL_LIFELINE_FD")
        self._lifeline = int(lifeline) if lifeline else None
        self._stops_workloads = environment.get("DATAHALL_STOP_WORKLOADS") == "1"
        self._ending = asyncio.Event()
        self._cut = asyncio.Event()  # the lifeline: whoever we would tell is gone

    async def run(self) -> None:
        """Until SIGTERM, SIGINT or the end of the lifeline."""
        self._listen()
        # they need one another: each is called by name once all of them are there
        supervisor: Supervisor
        sampler: Sampler
        faults: Faults
        pull: Pull
        link: Link
        state, identity = self._state, self._identity
        clock = Clock()
        database = Database(state.database)
        journal, spool = Journal(database), Spool(database)
        plane = ControlPlane(identity, state.key(), clock, on_keys=self._on_keys)
        hardware = await asyncio.to_thread(
            Hardware,
            state,
            name=identity.node.hex[:12],
            simulated_gpus=self._options.simulated_gpus,
            in_use=lambda: supervisor.devices_in_use(),
            on_fault=lambda fault: faults.take(fault),
        )
        limits = look_around() if self._options.isolation.host else Limits()
        hardware.isolation = link_protocol.Isolation(
            profile=self._options.isolation.profile.value,
            reason=self._options.isolation.reason,
            limits=limits.held,
        )
        supervisor = Supervisor(
            Surroundings(
                journal=journal,
                control_plane=plane,
                store=Store(state.store, plane.download, limit_bytes=_store_limit(state)),
                workloads=state.workloads,
                environments=state.environments,
                url=identity.url,
                advertise_host=self._options.advertise_host,
                lifeline=self._lifeline,
                on_news=lambda: link.wake(),
                taken=lambda devices: sampler.taken(devices),
                on_fault=lambda fault: faults.take(fault),
                isolation=self._options.isolation,
                limits=limits,
                devices={device.uuid: device for device in hardware.devices},
            ),
            on_settled=lambda: pull.look(),
        )
        self._orders = Orders(
            identity.node, verification_keys(identity.signing_keys), clock, supervisor
        )
        pull = Pull(plane, self._orders)
        faults = Faults(spool, supervisor, asyncio.get_running_loop(), on_news=lambda: link.wake())
        faults.know(hardware.devices)
        events = Events(hardware.cards, faults.take)
        link = Link(
            identity.url,
            plane,
            clock,
            spool,
            supervisor,
            hello=lambda: _hello(hardware),
            on_look=pull.look,
        )
        sampler = self._sampler(hardware, link, spool)
        await supervisor.recover()
        sampler.start()
        events.start()
        parts = [link.run(), _keep_positions(supervisor)]
        if self._options.use_pull:
            parts.append(pull.run())
        if self._options.use_broker and identity.broker is not None:
            letterbox = Letterbox(identity.node, identity.broker, self._orders.take)
            parts.append(letterbox.run())
        tasks = [asyncio.create_task(part) for part in parts]
        log.info("agent of node %s is at work", identity.name)
        try:
            await first(self._ending.wait(), self._watch_lifeline(), *tasks)
            if self._stops_workloads and not self._cut.is_set():
                log.info("the installation stops: ending every workload")
                await first(
                    supervisor.interrupt(patience_seconds=PATIENCE_SECONDS),
                    self._watch_lifeline(),
                )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await supervisor.close()
            await asyncio.to_thread(sampler.stop)
            await asyncio.to_thread(events.stop)
            await plane.close()
            database.close()

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)

    async def _watch_lifeline(self) -> None:
        """Until the installation is gone; the shims see that for themselves, and end payloads."""
        if self._lifeline is None:
            await asyncio.Event().wait()
            return
        await until_readable(self._lifeline)
        log.info("the lifeline is cut: the installation is gone")
        self._cut.set()

    def _on_keys(self, keys: dict[str, str]) -> None:
        """The control plane, asked by its name, tells of new signing keys."""
        if keys != self._identity.signing_keys:
            self._identity = Identity(
                node=self._identity.node,
                name=self._identity.name,
                url=self._identity.url,
                signing_keys=keys,
                broker=self._identity.broker,
            )
            self._state.keep_identity(self._identity)
            self._orders.keys = verification_keys(keys)

    def _sampler(self, hardware: Hardware, link: Link, spool: Spool) -> Sampler:
        loop = asyncio.get_running_loop()

        def on_live(live: Live) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches any more
                loop.call_soon_threadsafe(link.show, live)

        def on_block(block: PackedBlock) -> None:
            spool.add_block(block.start, block.data)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(link.wake)

        return Sampler(
            host.Host(self._state.folder), hardware.reader, on_live=on_live, on_block=on_block
        )


async def first(*parts: Awaitable[Any]) -> None:
    """Until one of them is over; raises what it raised. Tasks go on, the rest is cancelled."""
    ours = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(ours, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, part in zip(ours, parts, strict=True):
            if task is not part:
                task.cancel()
    for task in done:
        task.result()


def _hello(hardware: Hardware) -> Hello:
    return Hello(
        protocol_version=PROTOCOL_VERSION,
        agent_version=agents.__version__,
        boot_id=host.boot_id(),
        sent_at=time.time(),
        inventory=hardware.inventory(),
    )


def _store_limit(state: State) -> int:
    return max(LEAST_STORE_BYTES, int(shutil.disk_usage(state.folder).total * STORE_SHARE))


async def _keep_positions(supervisor: Supervisor) -> None:
    while True:
        await asyncio.sleep(KEEP_POSITIONS_SECONDS)
        await asyncio.to_thread(supervisor.keep_positions)
