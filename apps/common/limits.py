"""How much a request may send to Django. Bytes travel through `artifacts.transfer`, beside it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

from apps.common.api import problem_response
from apps.common.parsers import BodyTooLarge

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class LimitBody:
    """Answer 413 as soon as a body is too large, by its word or by its bytes.

    Django's ASGI handler would first write all of it to a temporary file, without a limit.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _declared(scope) > most:
            await _refuse(most, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received <= most:
                return message
            await _refuse(most, send)
            return {"type": "http.disconnect"}  # the handler gives up and answers nothing

        await self.application(scope, counted, send)


def _declared(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


async def _refuse(most: int, send: Send) -> None:
    response = problem_response(None, 413, BodyTooLarge.code, {"most": most})
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": [*headers, (b"connection", b"close")],
        }
    )
    await send({"type": "http.response.body", "body": response.content})
