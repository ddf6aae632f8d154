"""The transfer door behind a real HTTP server on a free port."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import uvicorn

from apps.artifacts import storage, transfer


@contextmanager
def serving() -> Iterator[str]:
    """The base URL of a server that answers as long as the block lasts."""
    config = uvicorn.Config(
        transfer.application, host="127.0.0.1", port=0, lifespan="off", log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Return as soon as a condition holds."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it never came to pass"
        sleep(0.005)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(data: bytes) -> str:
    """Put bytes into the store; their digest."""
    from uuid import uuid4

    incoming = storage.store().receive(uuid4())
    try:
        incoming.write(data)
        return incoming.seal("").digest
    finally:
        incoming.close()
