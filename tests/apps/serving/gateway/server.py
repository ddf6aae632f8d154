"""The gateway behind a real HTTP server on a free port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import uvicorn
import uvloop


@contextmanager
def serving(application: Any) -> Iterator[str]:
    """The base URL of a server that answers as long as the block lasts."""
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=0,
        lifespan="on",
        log_level="warning",
        http="controlplane.http:BoundedHttp",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: uvloop.run(server.serve()))
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
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
