"""The connections of a gateway to replicas: one websocket each, many calls per message."""

import asyncio
import logging
import random
import ssl
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import count
from uuid import UUID

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from agents.protocol.calls import (
    MAX_MESSAGE_BYTES,
    Answer,
    Call,
    Greeted,
    Greeting,
    decode_answers,
    encode_calls,
)
from apps.serving.checks import Payload
from apps.serving.routing import Place

log = logging.getLogger(__name__)

OPEN_SECONDS = 5.0
PING_SECONDS = 5.0
SILENCE_SECONDS = 10.0  # to a ping: the connection is broken
BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
BATCH_BYTES = MAX_MESSAGE_BYTES // 2  # of bodies in one message
CLOSING_SECONDS = 2.0

_turns = count(1)


class NotBegun(Exception):
    """The call never left: any other replica may have it."""


class AnswerLost(Exception):
    """The connection broke after the call had left."""


class Link:
    """One replica. Calls put in while the loop is busy leave together."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.open = False
        self.draining = False  # it has said so, and takes no new calls
        self.outstanding = 0
        self.turn = 0
        self.opened = asyncio.Event()
        self._ids = count(1)
        self._waiting: list[Call] = []
        self._filled = asyncio.Event()
        self._futures: dict[int, asyncio.Future[Answer]] = {}
        self._task = asyncio.create_task(self._run())

    def ask(self, payload: Payload) -> "Asked":
        """Put a call on its way; only while open."""
        call = Call(next(self._ids), payload.kind, payload.body, payload.rows)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._futures[call.id] = future
        self._waiting.append(call)
        self._filled.set()
        self.outstanding += 1
        self.turn = next(_turns)
        return Asked(self, call.id, future)

    def forget(self, id: int) -> None:
        """Nobody waits for this answer any more."""
        self._futures.pop(id, None)
        self.outstanding -= 1

    async def close(self, *, drain_seconds: float = 0.0) -> None:
        """End the connection, after what is outstanding has been answered or in any case then."""
        self.draining = True
        if self._futures and drain_seconds:
            await asyncio.wait(list(self._futures.values()), timeout=drain_seconds)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._converse()
                failures = 0
            except (OSError, WebSocketException, msgspec.MsgspecError, ValueError) as error:
                if self.open:
                    failures = 0
                if failures == 0:
                    log.warning("replica %s: %s", self.place.replica_id, error or repr(error))
            except Exception:  # whatever it is, the replica may be reached the next time
                log.exception("replica %s", self.place.replica_id)
            finally:
                self._break()
            pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
            failures += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _converse(self) -> None:
        host = f"[{self.place.host}]" if ":" in self.place.host else self.place.host
        async with connect(
            f"wss://{host}:{self.place.port}/",
            ssl=_trusting(self.place.certificate),
            proxy=None,
            compression=None,
            user_agent_header=None,
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=OPEN_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=SILENCE_SECONDS,
            close_timeout=CLOSING_SECONDS,
        ) as socket:
            async with asyncio.timeout(OPEN_SECONDS):
                await socket.send(msgspec.msgpack.encode(Greeting(bearer=self.place.bearer)))
                answer = await socket.recv(decode=False)
            msgspec.msgpack.decode(answer, type=Greeted)
            self.open = True
            self.opened.set()
            sending = asyncio.create_task(self._send(socket))
            try:
                async for message in socket:
                    if not isinstance(message, bytes):
                        raise ValueError("a text where answers belong")
                    self._take(decode_answers(message))
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, WebSocketException, OSError):
                    await sending

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while calls := self._gathered():
                # with their futures known and themselves no longer waiting: they have left
                await socket.send(encode_calls(calls))

    def _gathered(self) -> list[Call]:
        # whoever has gone meanwhile is not asked for, and takes no room from the others
        calls = [call for call in self._waiting if call.id in self._futures]
        self._waiting = []
        size = 0
        for index, call in enumerate(calls):
            size += len(call.body)
            if size > BATCH_BYTES and index:
                self._waiting = calls[index:]
                calls = calls[:index]
                break
        return calls

    def _take(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            future = self._futures.get(answer.id)
            if future is not None and not future.done():
                future.set_result(answer)

    def _break(self) -> None:
        """Every call here has to be asked again, or is lost."""
        self.open = False
        self.opened.clear()
        unsent = {call.id for call in self._waiting}
        self._waiting = []
        for id, future in list(self._futures.items()):
            if not future.done():
                future.set_exception(NotBegun() if id in unsent else AnswerLost())


class Asked:
    """A call under way. Whatever ends the waiting, leave the block: that gives up its place."""

    __slots__ = ("_id", "_link", "answer")

    def __init__(self, link: Link, id: int, answer: "asyncio.Future[Answer]") -> None:
        self._link = link
        self._id = id
        self.answer = answer

    def __enter__(self) -> "asyncio.Future[Answer]":
        return self.answer

    def __exit__(self, *_: object) -> None:
        self._link.forget(self._id)
        if self.answer.done() and not self.answer.cancelled():
            self.answer.exception()  # seen, whether or not anybody still wanted it


class Links:
    """The connections to every replica of the table."""

    def __init__(self) -> None:
        self._links: dict[UUID, Link] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def follow(self, places: dict[UUID, Place]) -> None:
        """Connect to what is new, and leave what is gone once it has answered."""
        for id, link in list(self._links.items()):
            if places.get(id) != link.place:
                del self._links[id]
                closing = asyncio.create_task(link.close(drain_seconds=60.0))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        for id, place in places.items():
            if id not in self._links:
                self._links[id] = Link(place)

    def of(self, places: Iterable[Place]) -> list[Link]:
        """The connections to some replicas."""
        return [link for place in places if (link := self._links.get(place.replica_id))]

    @property
    def open(self) -> int:
        return sum(link.open for link in self._links.values())

    async def close(self) -> None:
        for task in self._closing:
            task.cancel()
        await asyncio.gather(
            *self._closing, *(link.close() for link in self._links.values()), return_exceptions=True
        )
        self._links.clear()


@lru_cache(maxsize=1024)
def _trusting(certificate: str) -> ssl.SSLContext:
    """TLS with whoever holds this certificate's key, and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # it was made for this run and names no host
    context.load_verify_locations(cadata=certificate)
    return context
