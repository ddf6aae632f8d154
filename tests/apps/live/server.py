"""The whole ASGI application behind a real server on a free port."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import uvicorn

from controlplane.asgi import application


@contextmanager
def serving() -> Iterator[str]:
    """`127.0.0.1:<port>` of a server that answers as long as the block lasts."""
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=0,
        lifespan="on",
        log_level="warning",
        http="controlplane.http:BoundedHttp",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server does not end"


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What a condition gives as soon as it holds."""
    end = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < end, "it never came to pass"
        sleep(0.005)
    return value
