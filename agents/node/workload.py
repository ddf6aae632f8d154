"""One workload on this node, from the order to the last acknowledgement."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from agents.node import failures, isolation, outputs, services, shim, workspace
from agents.node.client import ControlPlane, Refused, TicketRefused, until_answered
from agents.node.concurrency import each, happens
from agents.node.failures import Exit, Failed
from agents.node.isolation import Box, Isolation
from agents.node.journal import Claim, Journal
from agents.node.limits import Limits
from agents.node.processes import end_strays, gone
from agents.node.store import Corrupt, Store
from agents.node.tails import LogTail, MetricsTail
from agents.node.workspace import Process, Workspace
from agents.protocol.base import Reason
from agents.protocol.faults import FaultKind
from agents.protocol.link import DeviceInfo, WorkloadReport
from agents.protocol.rest import (
    OutputFinished,
    OutputRequest,
    StartAnswer,
    StartRequest,
    Ticket,
)
from agents.protocol.specs import (
    FileRef,
    ScriptSpec,
    ServeSpec,
    WorkloadSpec,
    decode_spec,
    sha256_of,
)
from agents.protocol.workloads import Cause, WorkloadState
from agents.telemetry.faults import Fault, OnFault, ignore
from agents.telemetry.simulated import is_simulated

log = logging.getLogger(__name__)

SHIM = Path(shim.__file__)
RUNNER = Path(__file__).parents[1] / "runners" / "__main__.py"
ASK_AGAIN_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.05
TRIES = 3  # at what should not fail twice
FETCHES_AT_ONCE = 8
SENDS_AT_ONCE = 4
HIT_GRACE_SECONDS = 5.0  # for what runs on a device that has failed; it may be able to save itself
LATE_SECONDS = 3.0  # a payload may see its device fail before the driver says so
FREE_SECONDS = 30.0  # until a device that is leased to us has to be free of what was there before

T = TypeVar("T")


class LetGo(Exception):
    """The workload is not this node's, or no longer."""


@dataclass(frozen=True)
class Surroundings:
    """What every workload on this node shares."""

    journal: Journal
    control_plane: ControlPlane
    store: Store
    workloads: Path
    environments: Path
    url: str
    advertise_host: str  # where others reach this node; "": the address towards the control plane
    lifeline: int | None
    on_news: Callable[[], None]  # there is something new to send
    # a device of these whose memory is still taken by what was there before, if there is one
    taken: Callable[[Sequence[str]], str | None] = lambda devices: None
    on_fault: OnFault = ignore
    isolation: Isolation = field(default_factory=isolation.none)
    limits: Limits = field(default_factory=Limits)
    devices: Mapping[str, DeviceInfo] = field(default_factory=dict)  # of this node, by UUID


@dataclass(frozen=True)
class Asked:
    """Somebody wants it to end."""

    cause: Cause
    grace_seconds: float


@dataclass(frozen=True)
class Outcome:
    """How it ended, for good."""

    state: WorkloadState
    reason: Reason | None = None
    cause: Cause | None = None
    outputs: tuple[FileRef, ...] = ()


STOPPED = Outcome(WorkloadState.STOPPED, cause=Cause.STOPPED)  # who asked knows why


class Workload:
    """Takes one claim as far as it can go, from wherever the last agent left it."""

    def __init__(self, claim: Claim, around: Surroundings) -> None:
        self.claim = claim
        self.state = claim.state
        self.log, self.metrics = _tails(claim, around)
        self.devices: list[str] = []  # leased to it, once its start is approved
        self.pid: int | None = None  # of its payload, while that runs
        self._around = around
        self._workspace = Workspace(around.workloads / str(claim.workload))
        self._shim: Process | None = None  # while it runs
        self._child: subprocess.Popen[bytes] | None = None  # the same, if it is ours to bury
        self._tickets: dict[str, Ticket] = {}  # by digest
        self._asked: Asked | None = None
        self._stop_asked = asyncio.Event()
        self._fault: Failed | None = None  # of a device that it has
        self._hit = asyncio.Event()
        self._stored = asyncio.Event()  # something more of it is stored on the other side
        if claim.stop_grace_seconds is not None:
            self._asked = Asked(Cause.STOPPED, claim.stop_grace_seconds)
            self._stop_asked.set()

    @property
    def id(self) -> UUID:
        return self.claim.workload

    async def stop(self, asked: Asked) -> None:
        """Ask for its end. Asked again, it gets only shorter, and the first cause stays."""
        self._asked = Asked(self._asked.cause if self._asked else asked.cause, asked.grace_seconds)
        self._stop_asked.set()
        if self._shim is not None:
            await self._pass_on(self._shim, self._asked)

    async def hit(self, why: Failed) -> None:
        """A device of it has failed: its end is put down to that; of several, to the first."""
        if self._fault is not None or self.state.is_final:
            return
        self._fault = why
        self._hit.set()
        if self._workspace.folder.exists():
            found = {"code": why.reason.code, "params": why.reason.params}
            await asyncio.to_thread(self._workspace.write, "fault.json", found)
        if self.state.holds_room:
            await self.stop(Asked(Cause.HARDWARE, HIT_GRACE_SECONDS))

    def on_stored(self) -> None:
        """Something of this node was acknowledged, perhaps of this workload."""
        self._stored.set()

    async def live(self) -> None:
        """Until there is nothing left to do or say for it. Cancelled, it leaves a payload be."""
        try:
            if not self.state.is_final:
                await self._run()
            while await self._in_thread(self._around.journal.has_reports, self.claim):
                await self._next_stored()
        except LetGo:
            await self._end_payload()
        await self._settle()

    async def abandon(self) -> None:
        """Somebody else has it by now: end it here, and say nothing more."""
        await self._end_payload()
        await self._settle()

    async def _run(self) -> None:
        if self._workspace.started() is None:
            over = await self._begin()
            if over is not None:
                await self._report_outcome(over)
                return
        ended, at = await self._follow()
        await self._finish(ended, at)

    async def _settle(self) -> None:
        await self._in_thread(self._around.journal.settle, self.claim)
        await asyncio.to_thread(self._workspace.remove)
        await asyncio.to_thread(self._around.limits.remove, self.id)

    # --- beginning --------------------------------------------------------------------------------

    async def _begin(self) -> Outcome | None:
        """Bring it to its payload's first instruction; how it ended if it never came so far."""
        try:
            ready = await self._unless_stopped(self._prepare())
            if ready is None:
                return self._stopped_before_start()
            await self._spawn(*ready)
        except LetGo:
            raise
        except Failed as failed:
            return _failure(failed)
        except Exception as error:
            log.exception("workload %s cannot be started", self.id)
            return _failure(Failed("node_trouble", detail=_told(error)))
        return None

    async def _prepare(self) -> tuple[WorkloadSpec, StartAnswer]:
        """Everything before a process: what it is, the yes, and its inputs."""
        spec, answer = await self._agree()
        await self._until_free()
        if isinstance(spec.payload, ServeSpec):
            await self._in_thread(self._around.journal.await_service, self.claim)
        self._tickets = {ticket.digest: ticket for ticket in answer.tickets}
        with self._around.store.pinned(self._tickets):
            await asyncio.to_thread(self._workspace.create)
            await each(self._fetch, self._wanted(spec), at_once=FETCHES_AT_ONCE)
            await asyncio.to_thread(self._around.store.shrink)
        return spec, answer

    async def _until_free(self) -> None:
        """What was on the devices before may take a moment to go; what does not go is a fault."""
        deadline = time.monotonic() + FREE_SECONDS
        while device := self._around.taken(self.devices):
            if time.monotonic() > deadline:
                self._around.on_fault(Fault(FaultKind.NOT_FREE, device))
                raise Failed("device_not_free", cause=Cause.HARDWARE, device=device)
            await asyncio.sleep(LOOK_AGAIN_SECONDS * 4)

    async def _agree(self) -> tuple[WorkloadSpec, StartAnswer]:
        """What it is, as it was signed, and the control plane's yes."""
        if self.state not in (WorkloadState.ASSIGNED, WorkloadState.STARTING):
            raise Failed("workspace_lost")
        body = await self._ask(lambda: self._around.control_plane.spec(self.id), "spec")
        if sha256_of(body) != self.claim.spec_sha256:
            raise Failed("spec_altered")
        spec = decode_spec(body)
        answer = await self._approval()
        self.devices = answer.devices
        await self._in_thread(self._around.journal.note, self.claim, WorkloadState.STARTING)
        self.state = WorkloadState.STARTING
        return spec, answer

    def _wanted(self, spec: WorkloadSpec) -> Iterator[tuple[FileRef, Path]]:
        """Every file the spec names, and where the runner looks for it."""
        for item in spec.inputs:
            folder = _within(self._workspace.fetched, item.name)
            for file in item.files:
                yield file, _within(folder, file.path)
        if isinstance(spec.payload, ScriptSpec):
            code = spec.payload.code
            yield code, _within(self._workspace.fetched_code, code.path)

    async def _approval(self) -> StartAnswer:
        """The control plane's yes. The same nonce every time: a lost answer is asked for again."""
        request = StartRequest(fence=self.claim.fence, nonce=self.claim.nonce)
        while True:
            answer: StartAnswer = await self._ask(
                lambda: self._around.control_plane.start(self.id, request), "start"
            )
            if answer.answer == "yes":
                return answer
            if answer.answer == "no":
                log.info("workload %s is not to start: %s", self.id, answer.reason)
                raise LetGo
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _fetch(self, wanted: tuple[FileRef, Path]) -> None:
        file, target = wanted
        for attempt in range(1, TRIES + 1):
            ticket = self._tickets.get(file.digest)
            if ticket is None:
                raise Failed("input_without_ticket", path=file.path)
            try:
                await until_answered(
                    partial(self._around.store.ensure, ticket),
                    f"workload {self.id}: input {file.path}",
                )
                break
            except (Corrupt, TicketRefused) as error:
                log.warning("workload %s: input %s: %s", self.id, file.path, error)
                if attempt == TRIES:
                    raise Failed("input_unobtainable", path=file.path) from error
                answer = await self._approval()  # its tickets hold longer
                self._tickets = {ticket.digest: ticket for ticket in answer.tickets}
        await asyncio.to_thread(self._around.store.place, file.digest, target)

    async def _spawn(self, spec: WorkloadSpec, answer: StartAnswer) -> None:
        """Start the shim and wait until it has written down that the payload may go."""
        heard, told = os.pipe2(os.O_CLOEXEC)
        try:
            self._child = await asyncio.to_thread(self._start_shim, spec, answer, told)
        except BaseException:
            os.close(heard)
            raise
        finally:
            os.close(told)
        await until_readable(heard)
        os.close(heard)
        if self._workspace.started() is not None:
            return
        if await asyncio.to_thread(self._child.wait) == shim.RAN_BEFORE:
            # the shim of an agent that died at this very point is slower than we were
            while self._workspace.started() is None and self._workspace.is_locked():
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
        if self._workspace.started() is None:
            raise Failed("node_trouble", detail=self._workspace.shim_said())

    def _start_shim(
        self, spec: WorkloadSpec, answer: StartAnswer, told: int
    ) -> "subprocess.Popen[bytes]":
        here, around = self._workspace, self._around
        env = workspace.environment(here, spec, answer, url=around.url)
        host = around.advertise_host or services.advertised_host(around.url)
        environments = around.environments / workspace.folder_of(answer.project)
        most = isolation.most_processes(spec.resources)
        here.write(
            "order.json",
            workspace.order(
                here, spec, environments=environments, env=env, host=host, devices=answer.devices
            )
            | {"most_processes": most if around.isolation.host else None},
        )
        argv = [sys.executable, "-I", str(RUNNER), str(here.folder)]
        here.write(
            "spec.json",
            {
                "argv": argv,
                "env": env,
                "cwd": str(here.work),
                "grace_seconds": spec.grace_seconds,
                "max_log_bytes": spec.max_log_bytes,
            }
            | self._boxed(argv, spec, answer, environments),
        )
        inherited = {"started": told}
        if self._around.lifeline is not None:
            inherited["lifeline"] = self._around.lifeline
        with here.shim_log.open("ab") as said:
            return subprocess.Popen(
                [
                    *(sys.executable, "-I", str(SHIM), str(here.folder)),
                    *(f"{name}={file}" for name, file in inherited.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={"PATH": workspace.PATH, "LANG": "C.UTF-8"},
                cwd="/",
                pass_fds=list(inherited.values()),
                start_new_session=True,
            )

    def _boxed(
        self, argv: list[str], spec: WorkloadSpec, answer: StartAnswer, environments: Path
    ) -> dict[str, Any]:
        """What of the shim's orders is different for a payload that runs in a box."""
        around = self._around
        if around.isolation.host is None:
            if spec.network != "host":
                raise Failed("network_needs_isolation")
            return {}
        builds = isinstance(spec.payload, ScriptSpec)
        if builds:
            environments.mkdir(parents=True, exist_ok=True)
        memory_bytes = spec.resources.memory_bytes
        box = Box(
            workspace=self._workspace.folder,
            memory_bytes=memory_bytes,
            environments=environments if builds else None,
            network=spec.network == "host",
            devices=tuple(self._device_files(answer.devices)),
        )
        groups = around.limits.make(
            self.id, memory_bytes=memory_bytes, processes=isolation.most_processes(spec.resources)
        )
        rules = around.isolation.host.seccomp
        return {
            "argv": around.isolation.command(box, argv),
            "cwd": "/",
            "box": {"seccomp": str(rules) if rules else None},
            "cgroups": [str(group) for group in groups],
        }

    def _device_files(self, leased: list[str]) -> Iterator[Path]:
        for uuid in leased:
            device = self._around.devices.get(uuid)
            files = isolation.device_files(device, self._around.devices) if device else None
            if files is None:
                raise Failed("device_file_unknown", device=uuid)
            yield from files

    # --- following --------------------------------------------------------------------------------

    async def _follow(self) -> tuple[Exit | Failed, float]:
        """Until the shim is gone; how the payload ended, and when."""
        started = self._workspace.started()
        assert started is not None
        self.devices = self.devices or self._workspace.devices()
        if self.state in (WorkloadState.ASSIGNED, WorkloadState.STARTING):
            await self._report(WorkloadState.RUNNING, at=started.at)
        if started.is_alive():
            self._shim, self.pid = started.shim, started.payload.pid
            if self._asked is not None:
                await self._pass_on(started.shim, self._asked)
            async with asyncio.TaskGroup() as meanwhile:
                telling = meanwhile.create_task(self._tell_service())
                await self._gone(started.shim)
                telling.cancel()
        ended = self._workspace.exit()
        if ended is not None:
            return ended
        await asyncio.to_thread(end_strays, self._workspace.metrics)
        if started.boot_id != shim.boot_id():
            return Failed("node_restarted", cause=Cause.NODE_LOST), time.time()
        return Failed("supervisor_lost", detail=self._workspace.shim_said()), time.time()

    async def _tell_service(self) -> None:
        """Say where it is reached, if it serves and that is not said yet."""
        if await self._in_thread(self._around.journal.awaits_service, self.claim):
            service = await services.announced(self._workspace)
            report = self._to_report(WorkloadState.RUNNING, service=service)
            await self._in_thread(self._around.journal.tell_service, report)
            self._around.on_news()

    async def _gone(self, process: Process) -> None:
        await gone(process)
        self._shim = self.pid = None
        if self._child is not None:
            await asyncio.to_thread(self._child.wait)

    async def _pass_on(self, process: Process, asked: Asked) -> None:
        """Leave word for the shim, and wake it."""
        word = {"cause": asked.cause.value, "grace_seconds": asked.grace_seconds}
        await asyncio.to_thread(self._workspace.write, "stop.json", word)
        if process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)

    async def _end_payload(self) -> None:
        """End whatever runs, with grace, and wait for it."""
        started = self._workspace.started()
        if started is not None and started.is_alive():
            await self._pass_on(started.shim, self._asked or Asked(Cause.STOPPED, 10.0))
            await self._gone(started.shim)

    # --- finishing --------------------------------------------------------------------------------

    async def _finish(self, ended: Exit | Failed, at: float) -> None:
        """The process is gone: say so, send what it left, and only then how it ended."""
        self.metrics.complete = True
        log_bytes, metrics_bytes = self.log.size(), self.metrics.size()
        final: dict[str, Any] = {"log_bytes": log_bytes, "metrics_bytes": metrics_bytes}
        if isinstance(ended, Exit):
            final |= {
                "exit_code": ended.exit_code,
                "dropped_log_bytes": ended.dropped_log_bytes,
            }
        if self.state is not WorkloadState.FINISHING:
            await self._report(WorkloadState.FINISHING, at=at, **final)
        outcome = await self._outcome(ended)
        while self.log.acknowledged < log_bytes or self.metrics.acknowledged < metrics_bytes:
            await self._next_stored()
        await self._report_outcome(outcome, **final)

    async def _outcome(self, ended: Exit | Failed) -> Outcome:
        if isinstance(ended, Failed):
            return _failure(ended)
        if ended.stop_cause is Cause.STOPPED:
            return STOPPED
        if fault := await self._fault_behind(ended):
            return _failure(fault)
        tail = await asyncio.to_thread(self._workspace.log_tail)
        tail += ended.dropped_tail.encode()
        wrong = failures.sort(ended, tail, self._workspace.failure())
        if wrong is not None:
            return _failure(wrong)
        try:
            kept = await self._unless_stopped(self._send_outputs())
        except LetGo:
            raise
        except Failed as failed:
            return _failure(failed)
        except Exception as error:
            log.exception("workload %s: its outputs cannot be sent", self.id)
            return _failure(Failed("node_trouble", detail=_told(error)))
        return STOPPED if kept is None else Outcome(WorkloadState.SUCCEEDED, outputs=tuple(kept))

    async def _fault_behind(self, ended: Exit) -> Failed | None:
        """The failure of a device that a bad end is to be put down to, if there was one."""
        if self._fault is None and (found := self._workspace.fault()):
            self._fault = found  # of before this agent was started
        if ended.stop_cause is Cause.HARDWARE:
            return self._fault or Failed("device_fault", cause=Cause.HARDWARE)
        if ended.exit_code == 0 or ended.stop_cause is not None:
            return None
        if self._fault is None and any(not is_simulated(uuid) for uuid in self.devices):
            await happens(self._hit, within=LATE_SECONDS)
        return self._fault

    async def _send_outputs(self) -> list[FileRef]:
        """Every file under DATAHALL_OUTPUTS, once it is stored on the other side."""
        found = await asyncio.to_thread(outputs.collect, self._workspace.outputs)
        different = {output.ref.digest: output for output in found}
        await each(self._send, different.values(), at_once=SENDS_AT_ONCE)
        return [output.ref for output in found]

    async def _send(self, output: outputs.Output) -> None:
        await self._ask(partial(self._offer, output), f"output {output.ref.path}")

    async def _offer(self, output: outputs.Output) -> None:
        plane, fence, ref = self._around.control_plane, self.claim.fence, output.ref
        request = OutputRequest(fence=fence, digest=ref.digest, size=ref.size)
        for tries_left in reversed(range(TRIES)):
            answer = await plane.offer_output(self.id, request)
            if answer.stored:
                return
            await plane.upload(answer.upload_url, output.open, ref.size)
            try:
                await plane.finish_output(self.id, OutputFinished(fence=fence, digest=ref.digest))
            except Refused as refused:
                if refused.lets_go or not tries_left:
                    raise
                log.warning("workload %s: output %s: %s", self.id, ref.path, refused)
            else:
                return

    # --- saying -----------------------------------------------------------------------------------

    def _stopped_before_start(self) -> Outcome:
        if self._asked is not None and self._asked.cause is Cause.INTERRUPTED:
            return _failure(Failed("installation_stopped", cause=Cause.INTERRUPTED))
        if self._asked is not None and self._asked.cause is Cause.HARDWARE and self._fault:
            return _failure(self._fault)
        return STOPPED

    async def _report_outcome(self, outcome: Outcome, **final: Any) -> None:
        await self._report(
            outcome.state,
            reason=outcome.reason,
            cause=outcome.cause,
            outputs=list(outcome.outputs),
            **final,
        )

    async def _report(self, state: WorkloadState, *, at: float | None = None, **more: Any) -> None:
        await self._in_thread(self._around.journal.move, self._to_report(state, at=at, **more))
        self.state = state
        self._around.on_news()

    def _to_report(
        self, state: WorkloadState, *, at: float | None = None, **more: Any
    ) -> WorkloadReport:
        return WorkloadReport(
            seq=0,  # the journal gives it
            workload=self.id,
            fence=self.claim.fence,
            state=state,
            at=time.time() if at is None else at,
            **more,
        )

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        """What is being written down gets written down, also when nobody waits for it any more."""
        return await asyncio.shield(asyncio.to_thread(call, *args))

    async def _next_stored(self) -> None:
        await self._stored.wait()
        self._stored.clear()

    async def _ask(self, call: Callable[[], Any], what: str) -> Any:
        """The control plane's answer. That the workload is not ours any more ends everything."""
        try:
            return await until_answered(call, f"workload {self.id}: {what}")
        except Refused as refused:
            if refused.lets_go:
                log.info("workload %s is let go: %s", self.id, refused)
                raise LetGo from refused
            code = refused.problem.code or str(refused.status)
            raise Failed("control_plane_refused", what=what, code=code) from refused

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The work's result, or None if a stop was asked for first; then it is given up."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop_asked.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            stop.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)


def _tails(claim: Claim, around: Surroundings) -> tuple[LogTail, MetricsTail]:
    here = Workspace(around.workloads / str(claim.workload))
    known = around.journal.position
    return (
        LogTail(
            here.log,
            claim.workload,
            claim.fence,
            acknowledged=known(claim.workload, LogTail.stream),
        ),
        MetricsTail(
            here.metrics,
            claim.workload,
            claim.fence,
            acknowledged=known(claim.workload, MetricsTail.stream),
        ),
    )


def _within(folder: Path, path: str) -> Path:
    """A path that stays below a folder, whatever the spec says."""
    target = Path(os.path.normpath(folder / path))
    if folder not in target.parents:
        raise Failed("input_path_unusable", path=path)
    return target


def _failure(failed: Failed) -> Outcome:
    return Outcome(WorkloadState.FAILED, failed.reason, failed.cause)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


async def until_readable(file: int) -> None:
    """Until there is something in a pipe, or nobody left to write to it."""
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(file, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(file)
