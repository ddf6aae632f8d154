import json
from collections.abc import Iterable

import pytest

from apps.common.limits import LimitBody


class Sink:
    """An application that reads its body to the end, as Django does, and then answers."""

    received = b""

    async def __call__(self, scope, receive, send) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.received += message["body"]
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(autouse=True)
def _limit(settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10


async def send_through(chunks: Iterable[bytes], length: bytes | None = None):
    sink, sent, waiting = Sink(), [], list(chunks)

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message) -> None:
        sent.append(message)

    headers = [] if length is None else [(b"content-length", length)]
    await LimitBody(sink)({"type": "http", "headers": headers}, receive, send)
    return sink, sent[0]["status"], sent[-1]["body"], waiting


class TestLimitBody:
    async def test_passes_what_fits(self) -> None:
        sink, status, _, _ = await send_through([b"12345", b"67890"], b"10")

        assert (status, sink.received) == (200, b"1234567890")

    async def test_reads_nothing_of_what_says_it_is_too_large(self) -> None:
        sink, status, body, waiting = await send_through([b"x" * 11], b"11")

        assert (status, sink.received, len(waiting)) == (413, b"", 1)
        assert json.loads(body)["code"] == "body_too_large"

    async def test_stops_reading_what_turns_out_too_large(self) -> None:
        sink, status, _, waiting = await send_through([b"x" * 6] * 5)

        assert (status, len(waiting)) == (413, 3)
        assert len(sink.received) == 6
