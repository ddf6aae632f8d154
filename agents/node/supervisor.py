"""Owns the workloads on this host: each has a task of its own, and none shares a process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

from agents.node.failures import Failed
from agents.node.journal import Claim, Journal
from agents.node.tails import Tail
from agents.node.workload import Asked, Surroundings, Workload
from agents.protocol.envelope import Order
from agents.protocol.link import Ack, Offset, RunningWorkload
from agents.protocol.workloads import Cause

log = logging.getLogger(__name__)

PAUSE_AFTER_TROUBLE_SECONDS = 5.0
INTERRUPT_GRACE_SECONDS = 10.0


class Supervisor:
    """Idempotent verbs: what is asked for twice happens once."""

    def __init__(
        self,
        around: Surroundings,
        *,
        on_settled: Callable[[], None],
        workload: Callable[[Claim, Surroundings], Workload] = Workload,
    ) -> None:
        self._around = around
        self._workload = workload  # who sees a claim through
        self._on_settled = on_settled  # there may be orders that waited for it
        self._journal: Journal = around.journal
        self._workloads: dict[UUID, Workload] = {}
        self._leaving: dict[UUID, Workload] = {}  # somebody else has them by now
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._stored: dict[tuple[UUID, str], int] = {}  # positions to be kept

    async def recover(self) -> None:
        """Take up whatever the last agent here left unsettled."""
        for claim in await asyncio.to_thread(self._journal.unsettled):
            log.info("taking up workload %s, %s", claim.workload, claim.state)
            self._attend(claim)

    async def obey(self, order: Order, *, now: float) -> None:
        """Do what a verified order says; a repeat does nothing."""
        claim = await asyncio.shield(asyncio.to_thread(self._journal.take, order, now=now))
        if claim is None:
            return
        log.info("order to %s workload %s, fence %d", order.op, order.workload, order.fence)
        known = self._workloads.get(order.workload) or self._leaving.get(order.workload)
        if known is None or known.claim.fence != claim.fence:
            self._attend(claim)
        elif order.op == "stop":
            await known.stop(Asked(Cause.STOPPED, order.grace_seconds))

    def workloads(self) -> list[Workload]:
        return list(self._workloads.values())

    def devices_in_use(self) -> dict[str, int | None]:
        """The devices that workloads here hold, with the payload's process. From any thread."""
        return {
            uuid: workload.pid
            for workload in list(self._workloads.values())
            if workload.state.holds_room
            for uuid in workload.devices
        }

    def holders(self, device: str) -> list[Workload]:
        """The workloads that hold a device. From any thread."""
        return [
            workload
            for workload in list(self._workloads.values())
            if workload.state.holds_room and device in workload.devices
        ]

    async def hit(self, device: str, why: Failed) -> None:
        """A device has failed: end what runs on it, and put that down to the device."""
        for workload in self.workloads():
            if device in workload.devices:
                await workload.hit(why)

    def running(self) -> list[RunningWorkload]:
        """Everything the control plane may still count on this node for."""
        return [
            RunningWorkload(workload=one.id, fence=one.claim.fence, state=one.state)
            for one in self._workloads.values()
        ]

    def advance(self, ack: Ack) -> None:
        """Note how far logs and metrics are stored on the other side."""
        for at in ack.logs:
            if workload := self._workloads.get(at.workload):
                self._advance(workload.log, at)
        for at in ack.metrics:
            if workload := self._workloads.get(at.workload):
                self._advance(workload.metrics, at)

    def on_stored(self) -> None:
        """Something of this node was acknowledged: whoever waits for that looks again."""
        for workload in self._workloads.values():
            workload.on_stored()

    def refuse(self, stale: Iterable[UUID]) -> None:
        """Let go of workloads that somebody else has by now."""
        for workload_id in stale:
            workload = self._workloads.get(workload_id)
            if workload is None:
                continue
            log.warning("workload %s is not this node's any more", workload_id)
            self._leaving[workload_id] = self._workloads.pop(workload_id)
            self._tasks[workload_id].cancel()
            self._tasks[workload_id] = asyncio.create_task(
                self._abandon(workload, self._tasks[workload_id])
            )

    def keep_positions(self) -> None:
        """Write down what is acknowledged, so that a restart sends less again. Blocks."""
        stored, self._stored = self._stored, {}
        if stored:
            self._journal.keep_positions(stored)

    async def interrupt(self, *, patience_seconds: float) -> None:
        """End everything because the installation stops, and wait until it is told, for a while."""
        for workload in self.workloads():
            await workload.stop(Asked(Cause.INTERRUPTED, INTERRUPT_GRACE_SECONDS))
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=patience_seconds)

    async def close(self) -> None:
        """Stop attending. Payloads go on; the next agent takes them up."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.keep_positions)

    def _advance(self, tail: Tail, at: Offset) -> None:
        tail.acknowledge(at.offset)
        self._stored[at.workload, tail.stream] = tail.acknowledged

    def _attend(self, claim: Claim) -> None:
        workload = self._workload(claim, self._around)
        before = self._tasks.get(claim.workload)  # of an older fence, settled and tidying up
        self._workloads[claim.workload] = workload
        self._tasks[claim.workload] = asyncio.create_task(
            self._see_through(workload, before), name=f"workload {claim.workload}"
        )

    async def _see_through(self, workload: Workload, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        await self._persist(workload.live, workload)
        self._forget(workload)

    async def _abandon(self, workload: Workload, before: "asyncio.Task[None]") -> None:
        await asyncio.wait([before])
        await self._persist(workload.abandon, workload)
        self._forget(workload)

    def _forget(self, workload: Workload) -> None:
        """Nothing more of it here, unless a newer fence of it is attended to by now."""
        for known in (self._workloads, self._leaving):
            if known.get(workload.id) is workload:
                del known[workload.id]
        if self._tasks.get(workload.id) is asyncio.current_task():
            del self._tasks[workload.id]
        self._on_settled()

    async def _persist(self, step: Callable[[], Awaitable[None]], workload: Workload) -> None:
        """Until it is done: a full disk or a bug in one workload is tried again, and seen."""
        while True:
            try:
                await step()
            except Exception:
                log.exception("trouble with workload %s; trying again", workload.id)
                await asyncio.sleep(PAUSE_AFTER_TROUBLE_SECONDS)
            else:
                return
