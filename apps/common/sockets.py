"""What the websockets of browsers and of nodes share."""

import logging
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer, get_handler_name
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.db import DatabaseError, InterfaceError

log = logging.getLogger(__name__)

TRY_LATER = 1013

# Not on the one thread that all thread-sensitive calls share, where one slow answer would hold up
# everybody. For connecting and the like, not for every message.
in_thread = partial(database_sync_to_async, thread_sensitive=False)


class Socket(AsyncConsumer):  # type: ignore[misc]  # Channels has no stubs
    """A websocket. Whatever ends it, ``ended`` is awaited."""

    accepted = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.ended()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As Channels does, without its hop to another thread before each message."""
        try:
            await getattr(self, get_handler_name(message))(message)
        except (DatabaseError, InterfaceError) as error:
            log.warning("a socket is closed, the database does not answer: %s", error)
            if self.accepted:
                await self.close(TRY_LATER)
            else:
                await self.refuse(503)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        raise StopConsumer

    async def ended(self) -> None:
        """The socket is gone: let go of what was held for it."""

    async def accept(self) -> None:
        await self.send({"type": "websocket.accept"})
        self.accepted = True

    async def refuse(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Answer the handshake with an HTTP status and nothing else."""
        start = {"status": status, "headers": [(b"content-length", b"0"), *headers]}
        await self.send({"type": "websocket.http.response.start", **start})
        await self.send({"type": "websocket.http.response.body", "body": b""})

    async def close(self, code: int, reason: str = "") -> None:
        await self.send({"type": "websocket.close", "code": code, "reason": reason})


def bearer_of(scope: Any) -> str | None:
    """The token of the Authorization header; None where there is no such header."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return str(token.strip()) if scheme.lower() == "bearer" else ""
    return None
