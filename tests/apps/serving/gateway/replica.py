"""A replica that is all wire and no model: real TLS, real websocket, answers as the test says."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agents.protocol.calls import (
    BEARER_REFUSED,
    Answer,
    Call,
    Greeted,
    Greeting,
    decode_calls,
    encode_calls,
)


@cache
def certificate() -> tuple[str, bytes]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "replica")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def answered(call: Call) -> Answer:
    """A row of the input's first number for each row."""
    body = b"[" + b",".join(b'{"label":"seven","score":0.5}' for _ in range(call.rows)) + b"]"
    return Answer(call.id, 200, body, queued_us=100, computed_us=2000, batch=call.rows)


class Replica:
    """Listens in a thread of its own for as long as the block lasts."""

    def __init__(self, folder: Path) -> None:
        self.bearer = ""
        self.messages: list[list[Call]] = []
        self.connections = 0
        self.reply: Callable[[Call], Answer | None] = answered
        self._held: list[tuple[ServerConnection, Call]] = []
        self._sockets: set[ServerConnection] = set()
        self._started = threading.Event()
        self._folder = folder

    @property
    def calls(self) -> list[Call]:
        return [call for message in self.messages for call in message]

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def service(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "certificate": certificate()[0]}

    def hold(self) -> None:
        """Take calls and answer none until ``release``."""
        self.reply = lambda call: None

    def release(self) -> None:
        """Answer what is held, and what comes."""
        self.reply = answered
        self._do(self._release())

    def drop(self) -> None:
        """Break every connection without a word."""
        self._do(self._drop())

    def __enter__(self) -> "Replica":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._started.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        pem, key = certificate()
        path = self._folder / "replica.pem"
        path.write_bytes(key + pem.encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        async with serve(
            self._serve, "127.0.0.1", 0, ssl=context, compression=None, max_size=None
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._started.set()
            await self._end.wait()
            await self._drop()

    async def _serve(self, socket: ServerConnection) -> None:
        greeting = msgspec.msgpack.decode(await socket.recv(decode=False), type=Greeting)
        if greeting.bearer != self.bearer:
            await socket.close(BEARER_REFUSED)
            return
        await socket.send(msgspec.msgpack.encode(Greeted(version=1, max_batch=64, max_queue=1024)))
        self.connections += 1
        self._sockets.add(socket)
        try:
            async for message in socket:
                assert isinstance(message, bytes)
                calls = decode_calls(message)
                self.messages.append(calls)
                answers = [(call, self.reply(call)) for call in calls]
                self._held += [(socket, call) for call, answer in answers if answer is None]
                if said := [answer for _, answer in answers if answer is not None]:
                    await socket.send(encode_calls(said))
        except ConnectionClosed:
            pass
        finally:
            self._sockets.discard(socket)

    async def _release(self) -> None:
        held, self._held = self._held, []
        for socket, call in held:
            try:
                await socket.send(encode_calls([answered(call)]))
            except ConnectionClosed:
                pass

    async def _drop(self) -> None:
        self._held = []
        for socket in list(self._sockets):
            socket.transport.abort()
