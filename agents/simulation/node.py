"""One node that is not there, made of the agent's own parts.

It has a key, a journal and a spool, proves itself, holds a link, pulls, and verifies every order.
It differs from a real one in four things: its host and its devices are made up, its workloads are
pretended, it takes no orders from the broker (which would be a process for each node), and what it
writes down outlives the process but not a power cut.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable
from functools import partial

import agents
from agents.node import client
from agents.node.client import ControlPlane, Refused
from agents.node.clock import Clock
from agents.node.config import Identity, State, public_key_of, verification_keys
from agents.node.database import Database
from agents.node.journal import Journal
from agents.node.link import Link
from agents.node.orders import Orders, Pull
from agents.node.spool import Spool
from agents.node.store import Store
from agents.node.supervisor import Supervisor
from agents.node.workload import Surroundings
from agents.protocol import PROTOCOL_VERSION
from agents.protocol.link import Hello, Inventory
from agents.protocol.rest import JoinRequest
from agents.simulation import host
from agents.simulation.pretence import Pretended
from agents.telemetry.sampler import PERIOD_SECONDS, PackedBlock, Sampler
from agents.telemetry.simulated import SimulatedDevices

log = logging.getLogger(__name__)

TAIL_SECONDS = 1.0  # a real agent looks ten times as often, at the files of one host
KEEP_POSITIONS_SECONDS = 5.0


class SimulatedNode:
    """Lives in a folder of its own, and is the same node whenever it runs there."""

    def __init__(self, state: State, *, name: str, gpus: int, job_seconds: float) -> None:
        self.name = name
        self.state = state
        self._job_seconds = job_seconds
        self._supervisor: Supervisor | None = None  # while it is at work
        self._devices = SimulatedDevices(gpus, name, in_use=self._in_use)
        self._host = host.SimulatedHost(name)

    def inventory(self) -> Inventory:
        return Inventory(
            hostname=self.name,
            cpu_millis=host.CPU_MILLIS,
            memory_bytes=host.MEMORY_BYTES,
            disk_bytes=host.DISK_BYTES,
            devices=self._devices.devices(),
            facts=self._devices.facts(),
            simulated=True,
        )

    @property
    def has_joined(self) -> bool:
        return self.state.identity_file.exists()

    async def join(self, url: str, token: str) -> None:
        """Trade a join token for an identity, as any node does."""
        self.state.prepare()
        request = JoinRequest(
            token=token,
            name=self.name,
            public_key=public_key_of(self.state.key()),
            inventory=self.inventory(),
        )
        answer = await client.join(url, request)
        self.state.keep_identity(
            Identity(
                node=answer.node,
                name=answer.name,
                url=url,
                signing_keys=answer.signing_keys,
                broker=answer.broker,
            )
        )

    async def is_known(self) -> bool:
        """Whether the control plane knows it still; raises ``Unavailable``."""
        plane = ControlPlane(self.state.identity(), self.state.key(), Clock())
        try:
            await plane.token()
        except Refused:
            return False
        finally:
            await plane.close()
        return True

    def forget(self) -> None:
        """As if it had never been: it joins anew, as somebody else."""
        shutil.rmtree(self.state.folder, ignore_errors=True)

    async def run(self, ending: asyncio.Event, *, phase: float, interrupt: bool = False) -> None:
        """At work until it is told to end; its first reading comes ``phase`` of a second late.

        With ``interrupt`` it ends the workloads it has, says so, and is done.
        """
        identity = self.state.identity()
        clock = Clock()
        database = Database(self.state.database, durable=False)
        journal, spool = Journal(database), Spool(database)
        plane = ControlPlane(
            identity,
            self.state.key(),
            clock,
            on_keys=lambda keys: orders.keys.update(verification_keys(keys)),
        )
        supervisor = Supervisor(
            Surroundings(
                journal=journal,
                control_plane=plane,
                store=Store(self.state.store, plane.download, limit_bytes=0),
                workloads=self.state.workloads,
                environments=self.state.environments,
                url=identity.url,
                advertise_host="",
                lifeline=None,
                on_news=lambda: link.wake(),
            ),
            on_settled=lambda: pull.look(),
            workload=partial(Pretended, seconds=self._job_seconds),
        )
        self._supervisor = supervisor
        orders = Orders(identity.node, verification_keys(identity.signing_keys), clock, supervisor)
        pull = Pull(plane, orders)
        link = Link(
            identity.url,
            plane,
            clock,
            spool,
            supervisor,
            hello=lambda: self._hello(identity),
            on_look=pull.look,
            tail_seconds=TAIL_SECONDS,
        )

        def on_block(block: PackedBlock) -> None:
            spool.add_block(block.start, block.data)
            link.wake()

        sampler = Sampler(self._host, self._devices, on_live=link.show, on_block=on_block)
        parts: list[Awaitable[None]] = [link.run(), self._keep_positions(supervisor)]
        if not interrupt:
            parts += [pull.run(), self._sample(sampler, phase)]
        await supervisor.recover()
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            if interrupt:
                await supervisor.interrupt(patience_seconds=30.0)
            else:
                await ending.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await supervisor.close()
            await plane.close()
            database.close()

    def _in_use(self) -> dict[str, int | None]:
        return self._supervisor.devices_in_use() if self._supervisor else {}

    def _hello(self, identity: Identity) -> Hello:
        return Hello(
            protocol_version=PROTOCOL_VERSION,
            agent_version=agents.__version__,
            boot_id=f"simulated-{identity.node}",
            sent_at=time.time(),
            inventory=self.inventory(),
        )

    async def _sample(self, sampler: Sampler, phase: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + phase
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            sampler.take()
            due = max(due + PERIOD_SECONDS, loop.time())

    async def _keep_positions(self, supervisor: Supervisor) -> None:
        while True:
            await asyncio.sleep(KEEP_POSITIONS_SECONDS)
            supervisor.keep_positions()


def has_work(state: State) -> bool:
    """Whether a node that is not running has left something unsettled."""
    if not state.database.exists():
        return False
    database = Database(state.database, durable=False)
    try:
        return bool(Journal(database).unsettled())
    finally:
        database.close()
