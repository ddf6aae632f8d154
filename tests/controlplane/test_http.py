"""A request's head is bounded in size and in time."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from controlplane import http
from tests.apps.serving.gateway.server import until


async def application(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d bytes" % len(body)})


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_level="critical",
        http="controlplane.http:BoundedHttp",
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve()))
    thread.start()
    until(lambda: running.started)
    yield running.servers[0].sockets[0].getsockname()[:2]
    running.should_exit = True
    thread.join(20)


def everything(connection: socket.socket) -> bytes:
    read = b""
    try:
        while piece := connection.recv(65536):
            read += piece
    except ConnectionResetError:  # what we sent was not read to its end
        pass
    return read


class TestHead:
    @pytest.mark.parametrize("line", [b"X-%d: " + b"a" * 1000 + b"\r\n", b"%d" + b"a" * 1000])
    def test_has_an_end(self, server, line):
        with socket.create_connection(server, timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
            try:
                for number in range(2000):
                    connection.sendall(line % number)
            except (BrokenPipeError, ConnectionResetError):
                pass
            else:
                pytest.fail("two megabytes were taken")

    def test_has_to_come_in_time(self, monkeypatch, server):
        monkeypatch.setattr(http, "HEAD_SECONDS", 0.05)
        with socket.create_connection(server, timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")

            assert everything(connection).startswith(b"HTTP/1.1 408")

    def test_has_to_come_at_all(self, monkeypatch, server):
        monkeypatch.setattr(http, "HEAD_SECONDS", 0.05)
        with socket.create_connection(server, timeout=20) as connection:
            assert everything(connection).startswith(b"HTTP/1.1 408")

    def test_does_not_bound_the_body_or_what_follows(self, server):
        body = b"b" * 300_000
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n"
        with socket.create_connection(server, timeout=20) as connection:
            connection.sendall(head % (len(body), b"") + body)
            connection.sendall(head % (len(body), b"Connection: close\r\n") + body)

            assert everything(connection).count(b"300000 bytes") == 2
