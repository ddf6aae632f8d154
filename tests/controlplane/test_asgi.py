"""The doors as a server sees them."""

import httpx
from django.conf import settings

from controlplane.asgi import application

TOO_MUCH = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)


def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=application)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


class TestHttp:
    async def test_answers_that_it_is_alive(self) -> None:
        async with client() as web:
            assert (await web.get("/healthz")).json()["status"] == "ok"

    async def test_reads_no_body_beyond_the_limit(self) -> None:
        async with client() as web:
            answer = await web.post("/api/v1/session", content=TOO_MUCH)

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
