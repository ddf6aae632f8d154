"""A control plane of a few lines, for what a real one seldom does: to break off, to be away."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from controlplane.cli.client import Client
from controlplane.cli.config import Login


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """A response; `cut` bytes of the body are sent before the connection breaks."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Plane:
    """Answers with what `answer` returns, and remembers what it was asked."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def client(self) -> Client:
        return Client(Login(self.url, "dh_token"))


@contextmanager
def plane(answer: Callable[[Asked], Answer]) -> Iterator[Plane]:
    made = Plane(answer)

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            made.asked.append(asked)
            given = made.answer(asked)
            body = given.body
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if asked.method != "HEAD":
                self.wfile.write(body if given.cut is None else body[: given.cut])
            self.close_connection = given.cut is not None

        do_GET = do_POST = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815  the library's names

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
