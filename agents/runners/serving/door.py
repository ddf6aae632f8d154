"""The websocket of a replica: who may talk, and how messages become calls and answers messages."""

import asyncio
import errno
import hmac
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agents.protocol.calls import (
    BEARER_REFUSED,
    CALLS_VERSION,
    MAX_MESSAGE_BYTES,
    Answer,
    Greeted,
    Greeting,
    decode_calls,
    encode_calls,
)
from agents.protocol.link import Service
from agents.runners.serving import certificate
from agents.runners.serving.engine import Engine

log = logging.getLogger(__name__)

SERVICE_FILE = "service.json"
GREETING_SECONDS = 10.0
MAX_GREETING_BYTES = 4096  # nobody unknown makes us hold more than this
MOST_UNSENT = 16_384  # answers a gateway has not read: then it is not read from either
BIG_MESSAGE_BYTES = 16 * 1024 * 1024  # an answer that makes it bigger goes in the next one
UNREADABLE = 1007  # close code: the message is not what was agreed
BROKEN = 1011  # close code: this connection's answers cannot be sent


class Outbox:
    """Answers on their way to one gateway: what gathers while one message leaves is the next."""

    def __init__(self, connection: ServerConnection) -> None:
        self.closed = False
        self._connection = connection
        self._answers: list[Answer] = []
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, answers: list[Answer]) -> None:
        if not self.closed:
            self._answers += answers
            self._empty.clear()
            self._filled.set()

    @property
    def is_crowded(self) -> bool:
        return len(self._answers) > MOST_UNSENT

    async def until_empty(self) -> None:
        await self._empty.wait()

    async def send(self) -> None:
        """Until the connection is gone."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                answers, self._answers = self._answers, []
                for message in _messages(answers):
                    await self._connection.send(message)
                if not self._answers:
                    self._empty.set()
        except ConnectionClosed:
            pass
        except Exception:
            log.exception("answers cannot be sent")
            await self._connection.close(BROKEN)
        finally:
            self.close()

    def close(self) -> None:
        self.closed = True
        self._answers.clear()
        self._empty.set()


class Door:
    """Every connection of a replica."""

    def __init__(self, engine: Engine, bearer: str, service: Service) -> None:
        self.service = service
        self._engine = engine
        self._bearer = bearer.encode()
        self._outboxes: set[Outbox] = set()

    async def drained(self) -> None:
        """Until everything taken is answered, and the answers have left."""
        await self._engine.until_idle()
        await asyncio.gather(*(outbox.until_empty() for outbox in self._outboxes))

    async def attend(self, connection: ServerConnection) -> None:
        """One gateway, from its greeting on."""
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                greeted = await self._greet(connection)
        except (ConnectionClosed, TimeoutError):
            return
        if not greeted:
            log.warning("refused a caller at %s", connection.remote_address)
            await connection.close(BEARER_REFUSED)
            return
        outbox = Outbox(connection)
        self._outboxes.add(outbox)
        sending = asyncio.create_task(outbox.send())
        try:
            await self._talk(connection, outbox)
        except ConnectionClosed:
            pass
        finally:
            outbox.close()
            sending.cancel()
            self._outboxes.discard(outbox)

    async def _greet(self, connection: ServerConnection) -> bool:
        try:
            greeting = msgspec.msgpack.decode(await connection.recv(decode=False), type=Greeting)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            return False
        if not hmac.compare_digest(greeting.bearer.encode(), self._bearer):
            return False
        connection.protocol.max_message_size = MAX_MESSAGE_BYTES  # from the next message on
        answer = Greeted(
            version=min(greeting.version, CALLS_VERSION),
            max_batch=self._engine.max_batch,
            max_queue=self._engine.max_queue,
        )
        await connection.send(msgspec.msgpack.encode(answer))
        return True

    async def _talk(self, connection: ServerConnection, outbox: Outbox) -> None:
        take = self._engine.take
        while True:
            message = await connection.recv(decode=False)
            try:
                calls = decode_calls(message)
            except (ValueError, RecursionError) as error:
                log.warning("%s: %s", connection.remote_address, error)
                await connection.close(UNREADABLE)
                return
            take(calls, outbox)
            if outbox.is_crowded:
                await outbox.until_empty()


@asynccontextmanager
async def opened(engine: Engine, bearer: str, host: str) -> AsyncIterator[Door]:
    """A door on a port the kernel chooses, open while inside."""
    listening = listen(host)
    made = certificate.make(host)
    service = Service(host=host, port=listening.getsockname()[1], certificate=made.certificate)
    door = Door(engine, bearer, service)
    async with serve(
        door.attend,
        sock=listening,
        ssl=made.context(),
        max_size=MAX_GREETING_BYTES,
        compression=None,  # numbers hardly shrink, and it costs more than the network saves
        server_header=None,
    ):
        yield door


def listen(host: str) -> socket.socket:
    """On the address callers are told; on all, where that is not this machine's own (NAT)."""
    try:
        family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        if not isinstance(error, socket.gaierror) and error.errno != errno.EADDRNOTAVAIL:
            raise
        log.warning("%s is not an address of this machine: listening on all", host)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("", 0))
    listening.listen()
    return listening


def tell(folder: Path, service: Service) -> None:
    """Write ``service.json``, whole or not at all: the daemon passes it on."""
    temporary = folder / f"{SERVICE_FILE}.tmp"
    temporary.write_bytes(msgspec.json.encode(service))
    os.replace(temporary, folder / SERVICE_FILE)


def _messages(answers: list[Answer]) -> Iterator[bytes]:
    """Usually one; more where one would be longer than the other side takes."""
    size = sum([len(answer.body) for answer in answers])
    if size <= BIG_MESSAGE_BYTES:
        yield encode_calls(answers)
        return
    some: list[Answer] = []
    size = 0
    for answer in answers:
        if some and size + len(answer.body) > BIG_MESSAGE_BYTES:
            yield encode_calls(some)
            some, size = [], 0
        some.append(answer)
        size += len(answer.body)
    yield encode_calls(some)
