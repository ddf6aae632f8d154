"""The one websocket to the control plane: everything this node says goes through it."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from agents.node.client import ControlPlane, Refused, Unavailable
from agents.node.clock import Clock
from agents.node.concurrency import happens
from agents.node.spool import Spool
from agents.node.supervisor import Supervisor
from agents.node.workload import Workload
from agents.protocol.base import Message
from agents.protocol.link import (
    CHUNK_BYTES,
    MAX_FRAME_BYTES,
    Ack,
    Heartbeat,
    Hello,
    Live,
    Look,
    Welcome,
    decode_body,
    decode_frame,
    encode_frame,
    tag_of,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

HEARTBEAT_SECONDS = 10.0
TAIL_SECONDS = 0.1  # how long a line may wait in its file
WELCOME_SECONDS = 15.0
STUCK_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

# Little is under way at a time, so that on a slow line a heartbeat never waits long behind it.
WINDOW_BYTES = 256 * 1024
WINDOW_REPORTS = 100
WINDOW_BLOCKS = 4


class Lost(Exception):
    """The link is of no use any more; the next one may be."""


@dataclass
class Session:
    """What one connection has sent and seen."""

    reports_sent: int = 0
    blocks_sent: int = 0
    blocks_stored: int = 0
    heartbeat_due: float = 0.0  # monotonic
    progress_at: float = field(default_factory=time.monotonic)


class Link:
    """Keeps a link up, for as long as it runs."""

    def __init__(
        self,
        url: str,
        control_plane: ControlPlane,
        clock: Clock,
        spool: Spool,
        supervisor: Supervisor,
        *,
        hello: Callable[[], Hello],
        on_look: Callable[[], None],
        tail_seconds: float = TAIL_SECONDS,
    ) -> None:
        self._tail_seconds = tail_seconds
        self._url = url.replace("http", "ws", 1).rstrip("/") + "/agent/v1/link"
        self._control_plane = control_plane
        self._clock = clock
        self._spool = spool
        self._supervisor = supervisor
        self._hello = hello
        self._on_look = on_look
        self._news = asyncio.Event()
        self._live: Live | None = None
        self._turn = 0
        # one thread reads and notes: what an old link still collects comes before a new one rewinds
        self._disk = ThreadPoolExecutor(1, "link")

    def wake(self) -> None:
        """There is something to send."""
        self._news.set()

    def show(self, live: Live) -> None:
        """Readings for whoever is watching: only the newest are worth sending."""
        self._live = live
        self._news.set()

    async def run(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                await self._connect()
            except InvalidStatus as error:
                if error.response.status_code in (401, 403):
                    self._control_plane.forget_token()
                log.warning("no link: the control plane answered %d", error.response.status_code)
            except (OSError, WebSocketException, InvalidHandshake, TimeoutError) as error:
                log.warning("the link is down: %s", str(error) or type(error).__name__)
            except (Lost, Unavailable, Refused, msgspec.DecodeError) as error:
                log.warning("the link is down: %s", error)
            except Exception:
                log.exception("the link failed")
            if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _connect(self) -> None:
        token = await self._control_plane.token()
        async with connect(
            self._url,
            additional_headers={"Authorization": f"Bearer {token}"},
            max_size=MAX_FRAME_BYTES,
            compression=None,
            ping_interval=15,
            ping_timeout=15,
            close_timeout=2,
        ) as socket:
            session = await self._greet(socket)
            log.info("the link is up")
            both = [
                asyncio.create_task(self._receive(socket, session)),
                asyncio.create_task(self._send(socket, session)),
            ]
            try:
                done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
            for task in done:
                task.result()

    async def _greet(self, socket: ClientConnection) -> Session:
        """Say who we are, and go on where the other side says it is."""
        sent_at = time.time()
        await socket.send(encode_frame(self._hello()))
        async with asyncio.timeout(WELCOME_SECONDS):
            welcome = await _welcome(socket)
        self._clock.heard(welcome.server_time, sent_at=sent_at, received_at=time.time())
        await self._on_disk(self._resume, welcome)
        self._supervisor.on_stored()
        self._on_look()
        return Session(
            reports_sent=welcome.reports_through,
            blocks_sent=welcome.blocks_through,
            blocks_stored=welcome.blocks_through,
        )

    def _resume(self, welcome: Welcome) -> None:
        self._spool.resume(reports=welcome.reports_through, blocks=welcome.blocks_through)
        for workload in self._supervisor.workloads():
            workload.log.rewind()
            workload.metrics.rewind()

    # --- down -------------------------------------------------------------------------------------

    async def _receive(self, socket: ClientConnection, session: Session) -> None:
        async for frame in socket:
            if isinstance(frame, str):
                raise Lost("a text frame")
            for item in decode_frame(frame):
                if item.tag == tag_of(Ack):
                    await self._acknowledge(decode_body(item, Ack), session)
                elif item.tag == tag_of(Look):
                    self._on_look()
        raise Lost("closed by the control plane")

    async def _acknowledge(self, ack: Ack, session: Session) -> None:
        session.progress_at = time.monotonic()
        session.blocks_stored = max(session.blocks_stored, ack.blocks_through or 0)
        await self._on_disk(self._note, ack)
        self._supervisor.on_stored()
        self._supervisor.refuse(ack.refused)
        self._news.set()

    def _note(self, ack: Ack) -> None:
        if ack.reports_through is not None or ack.blocks_through is not None:
            self._spool.acknowledge(reports=ack.reports_through, blocks=ack.blocks_through)
        self._supervisor.advance(ack)

    # --- up ---------------------------------------------------------------------------------------

    async def _send(self, socket: ClientConnection, session: Session) -> None:
        while True:
            self._news.clear()
            messages = self._due(session)
            messages += await self._on_disk(self._collect, session)
            if messages:
                await socket.send(encode_frame(*messages))
                continue
            if time.monotonic() - session.progress_at > STUCK_SECONDS and self._in_flight():
                raise Lost("what was sent is not acknowledged")
            await self._wait(session)

    def _due(self, session: Session) -> list[Message]:
        """What goes first: that we are there, and the newest readings."""
        messages: list[Message] = []
        if time.monotonic() >= session.heartbeat_due:
            session.heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS
            messages.append(Heartbeat(sent_at=time.time(), running=self._supervisor.running()))
        if self._live is not None:
            messages.append(self._live)
            self._live = None
        return messages

    def _collect(self, session: Session) -> list[Message]:
        """Reports, then one piece of one file and one block at most: frames stay small. Blocks."""
        messages: list[Message] = list(
            self._spool.reports_after(session.reports_sent, WINDOW_REPORTS)
        )
        if messages:
            session.reports_sent = messages[-1].seq  # type: ignore[attr-defined]
            return messages  # they may be long, and states go before lines
        if piece := self._next_piece():
            messages.append(piece)
        if session.blocks_sent - session.blocks_stored < WINDOW_BLOCKS:
            for block in self._spool.blocks_after(session.blocks_sent, 1):
                session.blocks_sent = block.seq
                messages.append(block)
        return messages

    def _next_piece(self) -> Message | None:
        """The workloads take turns, and so do log and metrics of each."""
        workloads = self._supervisor.workloads()
        room = WINDOW_BYTES - self._in_flight()
        if room < CHUNK_BYTES or not workloads:
            return None
        for _ in range(2 * len(workloads)):
            self._turn += 1
            workload = workloads[self._turn // 2 % len(workloads)]
            tail = workload.metrics if self._turn % 2 else workload.log
            if piece := tail.next():
                return piece
        return None

    async def _on_disk(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, partial(call, *args))

    def _in_flight(self) -> int:
        return sum(_in_flight(one) for one in self._supervisor.workloads())

    async def _wait(self, session: Session) -> None:
        """Until there may be something to send: told so, a heartbeat due, or a file grown."""
        pause = max(0.0, session.heartbeat_due - time.monotonic())
        if self._supervisor.workloads():
            pause = min(pause, self._tail_seconds)
        await happens(self._news, within=pause)


def _in_flight(workload: Workload) -> int:
    return workload.log.in_flight + workload.metrics.in_flight


async def _welcome(socket: ClientConnection) -> Welcome:
    while True:
        frame = await socket.recv()
        if isinstance(frame, str):
            raise Lost("a text frame")
        for item in decode_frame(frame):
            if item.tag == tag_of(Welcome):
                return decode_body(item, Welcome)
