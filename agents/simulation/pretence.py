"""A workload that goes the whole way of one and runs nothing.

The order is verified and journalled, the spec is fetched and its hash compared, the start is asked
for; state, log and metrics are told and acknowledged like those of a payload. Only that there is
none: what it writes says so itself.
"""

import asyncio
import json
import math
import time

from agents.node.concurrency import happens
from agents.node.failures import Exit
from agents.node.journal import Claim
from agents.node.workload import Surroundings, Workload
from agents.protocol.rest import StartAnswer
from agents.protocol.specs import WorkloadSpec
from agents.protocol.workloads import WorkloadState

LINE_SECONDS = 1.0
SPREAD = 0.5  # of its length: a fleet's workloads do not all end at once

FIRST_LINE = "simulated: this node computes nothing, and these numbers mean nothing\n"


class Pretended(Workload):
    """Writes a line and a number a second, for about so many seconds, and has then succeeded."""

    def __init__(self, claim: Claim, around: Surroundings, *, seconds: float) -> None:
        super().__init__(claim, around)
        chance = claim.workload.int % 1000 / 1000  # its own, and the same after a restart
        self._seconds = seconds * (1 + SPREAD * (2 * chance - 1))

    async def _prepare(self) -> tuple[WorkloadSpec, StartAnswer]:
        ready = await self._agree()
        await asyncio.to_thread(self._workspace.create)
        return ready

    async def _spawn(self, spec: WorkloadSpec, answer: StartAnswer) -> None:
        self._workspace.log.write_text(FIRST_LINE)
        self._workspace.write("pretended.json", {"at": time.time(), "devices": answer.devices})

    async def _run(self) -> None:
        if self._began_at() is None:
            over = await self._begin()
            if over is not None:
                await self._report_outcome(over)
                return
        began_at = self._began_at()
        assert began_at is not None
        if self.state in (WorkloadState.ASSIGNED, WorkloadState.STARTING):
            await self._report(WorkloadState.RUNNING, at=began_at)
        await self._finish(await self._play(began_at), time.time())

    async def _play(self, began_at: float) -> Exit:
        """Until its time is over, or somebody asks for its end."""
        while (left := began_at + self._seconds - time.time()) > 0:
            if not await happens(self._stop_asked, within=min(left, LINE_SECONDS)):
                self._write_line(time.time() - began_at)
                continue
            assert self._asked is not None
            return Exit(exit_code=-15, stop_cause=self._asked.cause)
        return Exit(exit_code=0)

    def _write_line(self, seconds: float) -> None:
        step, loss = round(seconds), math.exp(-seconds / max(1.0, self._seconds))
        with self._workspace.log.open("a") as log:
            log.write(f"step {step} loss {loss:.4f}\n")
        with self._workspace.metrics.open("a") as metrics:
            metrics.write(json.dumps({"step": step, "metrics": {"loss": loss}}) + "\n")

    def _began_at(self) -> float | None:
        try:
            found = json.loads((self._workspace.folder / "pretended.json").read_text())
        except FileNotFoundError:
            return None
        self.devices = found.get("devices", [])
        return float(found["at"])
