"""The nodes' link: decode, check, hand on; nothing is written here.

See docs/subsystems/telemetry.md.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from agents.protocol.base import Message
from agents.protocol.link import (
    MAX_FRAME_BYTES,
    Ack,
    Block,
    DeviceReport,
    Heartbeat,
    Hello,
    Item,
    Live,
    LogChunk,
    Look,
    MetricBatch,
    WorkloadReport,
    decode_body,
    decode_frame,
    encode_frame,
    tag_of,
    utc,
)
from apps.common import hub
from apps.common.ids import uuid7
from apps.common.sockets import TRY_LATER, Socket, bearer_of, in_thread
from apps.fleet import services as fleet
from apps.fleet.models import Node
from apps.ingest import fleet as at_a_glance
from apps.ingest import writers
from apps.ingest.router import Answer, Entry

log = logging.getLogger(__name__)

HELLO_SECONDS = 15.0
MOST_ITEMS = 10_000  # in a frame
MOST_SEQUENCE = 2**63 - 1
MOST_LIVE_BYTES = 128 * 1024
LIVE_SECONDS = 0.5  # readings that come sooner after the last ones are not shown
NETWORK_SECONDS = 1.0  # a clock that seems ahead by less may only be far away

TOO_LARGE = 1009
UNREADABLE = 4400
REMOVED = 4403
TURNED_AWAY = 4406  # the reason is a code
NO_HELLO = 4408
REPLACED = 4409  # the node has a newer link
OUT_OF_STEP = 4410  # a stream goes on elsewhere: begin again from what is acknowledged

_KINDS: dict[str, type[Message]] = {
    tag_of(kind): kind
    for kind in (Hello, Heartbeat, WorkloadReport, DeviceReport, LogChunk, MetricBatch, Live, Block)
}


class LinkConsumer(Socket):
    """One link of one node. Its answers come from the writer threads, once things are durable."""

    node_id: UUID
    skew = 0.0
    inbox: hub.Inbox | None = None

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        bearer = bearer_of(self.scope)
        node: Node | None = await in_thread(fleet.node_of_token)(bearer) if bearer else None
        if node is None:
            await self.refuse(
                401, (b"www-authenticate", b"Bearer")
            )  # prove it again, and come again
            return
        self.node_id = node.id
        self.skipped: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._greeted = False
        self._shown_at = -math.inf
        self._devices: list[str] = []  # in the order of the map
        self._link = str(uuid7())
        self._announced = False
        # what is to be sent: at most one answer and one look, however slowly the node reads
        self._answer: Answer | None = None
        self._look = False
        self._closing: tuple[int, str] | None = None
        self._due = asyncio.Event()
        await self.accept()
        self._sender = asyncio.create_task(self._send())
        self._timer = self._loop.call_later(HELLO_SECONDS, self._end, NO_HELLO)
        self.inbox = hub.here().open(self._told)
        self.inbox.watch(self._topic)

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        if self.inbox is None or self._closing is not None:
            return
        data: bytes | None = message.get("bytes")
        if data is None:
            self._end(UNREADABLE)
            return
        if len(data) > MAX_FRAME_BYTES:
            self._end(TOO_LARGE)
            return
        received_at = time.time()
        items = self._read(data)
        if items is None or not self._is_in_order(items, received_at):
            self._end(UNREADABLE)
            return
        for item in items:
            if isinstance(item, Live):
                self._show(item)
        kept = [item for item in items if not isinstance(item, Live)]
        if kept:
            try:
                await writers.pool().put(Entry(self, kept, len(data)))
            except writers.Stopped:
                self._end(TRY_LATER)

    async def ended(self) -> None:
        if self.inbox is None:
            return
        self._timer.cancel()
        await self.inbox.close()
        self._sender.cancel()
        with suppress(asyncio.CancelledError):
            await self._sender
        if self.skipped:
            log.warning("node %s: items skipped: %s", self.node_id, dict(self.skipped))

    # --- what it says ----------------------------------------------------------------------------

    def _read(self, data: bytes) -> list[Message] | None:
        """The items of a frame; None if it is none. One that cannot be read spoils no other."""
        try:
            raw = decode_frame(data)
        except msgspec.DecodeError:
            return None
        if len(raw) > MOST_ITEMS:
            return None
        read = [self._read_item(item) for item in raw]
        return [item for item in read if item is not None]

    def _read_item(self, item: Item) -> Message | None:
        kind = _KINDS.get(item.tag)
        if kind is None:
            self._skip(f"unknown {item.tag[:32]!r}")
            return None
        if kind is Live and len(item.body) > MOST_LIVE_BYTES:
            self._skip("oversized live")
            return None
        try:
            body = decode_body(item, kind)
        except msgspec.DecodeError as error:
            self._skip(f"unreadable {item.tag}", str(error))
            return None
        if (
            isinstance(body, WorkloadReport | DeviceReport | Block)
            and not 0 < body.seq <= MOST_SEQUENCE
        ):
            self._skip(f"unnumbered {item.tag}")
            return None
        return body

    def _skip(self, what: str, why: str = "") -> None:
        if len(self.skipped) >= 100:
            what = "more"
        self.skipped[what] += 1
        if self.skipped[what] == 1:
            log.warning("node %s: item skipped: %s %s", self.node_id, what, why)

    def _is_in_order(self, items: list[Message], received_at: float) -> bool:
        """The first thing a link says is hello, once."""
        for item in items:
            if isinstance(item, Hello) == self._greeted:
                return False
            if isinstance(item, Hello):
                self._greeted = True
                self._devices = at_a_glance.order_of(item.inventory.devices)
                self._timer.cancel()
                ahead = item.sent_at - received_at
                if math.isfinite(ahead) and abs(ahead) >= NETWORK_SECONDS:
                    self.skew = ahead
        return True

    def _show(self, live: Live) -> None:
        """Readings go straight to whoever watches; they are never stored."""
        now = time.monotonic()
        if now - self._shown_at < LIVE_SECONDS:
            return
        self._shown_at = now
        try:
            at = utc(live.at - self.skew)
        except (ValueError, OverflowError, OSError):
            self._skip("undated live")
            return
        hub.here().tell(
            f"node.{self.node_id}",
            {
                "event": "sample",
                "at": at,
                "host": live.host,
                "devices": live.devices,
                "processes": [msgspec.structs.asdict(process) for process in live.processes],
            },
        )
        at_a_glance.here().take(self.node_id, self._devices, live)

    # --- what it is told, by the hub -------------------------------------------------------------

    @property
    def _topic(self) -> str:
        return f"link.{self.node_id}"

    async def _told(self, text: str) -> None:
        match msgspec.json.decode(text):
            case {"watching": _}:
                # The newest link of a node is the one. Announcements are numbered across all
                # processes, so whoever hears one after its own is the older link.
                hub.here().tell(self._topic, {"link": self._link})
                self._announced = False
                self._look_soon()
            case {"body": {"link": link}}:
                if link == self._link:
                    self._announced = True
                elif self._announced:
                    self._end(REPLACED)
            case {"body": {"close": True}}:
                self._end(REMOVED)
            case {"body": {"look": True}}:
                self._look_soon()

    def _look_soon(self) -> None:
        self._look = True
        self._due.set()

    # --- what it is told, by the writers (from their threads) ------------------------------------

    def answer(self, answer: Answer) -> None:
        self._call(self._answered, answer)

    def fail(self) -> None:
        self._call(self._end, TRY_LATER)

    def _call(self, function: Any, *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # the loop has ended, and the link with it

    def _answered(self, answer: Answer) -> None:
        if self._answer is None:
            self._answer = answer
        else:
            self._answer.merge(answer)
        if answer.turned_away:
            self._end(TURNED_AWAY, answer.turned_away)
        elif answer.out_of_step:
            self._end(OUT_OF_STEP)
        self._due.set()

    # --- out -------------------------------------------------------------------------------------

    def _end(self, code: int, reason: str = "") -> None:
        """Close once what is known to be durable has been said."""
        if self._closing is None:
            self._closing = (code, reason)
            self._due.set()

    async def _send(self) -> None:
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                frame = self._compose()
                if frame:
                    await self.send({"type": "websocket.send", "bytes": encode_frame(*frame)})
                if self._closing is not None:
                    await self.close(*self._closing)
                    return
        except OSError as error:
            log.debug("node %s is gone: %s", self.node_id, error)

    def _compose(self) -> list[Message]:
        frame: list[Message] = []
        if answer := self._answer:
            self._answer = None
            ack = answer.ack()
            if answer.welcome is not None:
                frame.append(answer.welcome)
            if answer.welcome is None or ack != Ack():
                frame.append(ack)
        if self._look:
            self._look = False
            frame.append(Look())
        return frame
