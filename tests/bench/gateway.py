"""What a request costs the gateway's own code: ``python -m tests.bench.gateway [--profile]``.

No sockets: requests come from a function, and a replica answers at once. In CPU time, so that a
busy machine falsifies it less; the least of seven times a thousand requests.
"""

import asyncio
import cProfile
import hashlib
import os
import pstats
import sys
import time
from typing import Any
from uuid import uuid4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.test")

import django

django.setup()

import uvloop  # noqa: E402

from agents.protocol.calls import Answer  # noqa: E402
from agents.protocol.results import Signature, Tensor  # noqa: E402
from apps.serving.checks import Checker, Payload  # noqa: E402
from apps.serving.gateway import _Gateway  # noqa: E402
from apps.serving.routing import KeyRoute, Place, Route, Table  # noqa: E402
from apps.serving.upstream import Asked  # noqa: E402
from tests.bench.serving import as_json, image  # noqa: E402

SECRET = "x" * 43
SIGNATURE = Signature(
    task="image_classification",
    inputs=[Tensor(name="image", dtype="float32", shape=[None, 1, 28, 28])],
    outputs=[],
    weights="",
)


class AtOnce:
    """A link whose replica has always answered already."""

    open, draining, outstanding, turn = True, False, 0, 0

    def __init__(self, place: Place) -> None:
        self.place = place

    def ask(self, payload: Payload) -> Asked:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        loop.call_soon(future.set_result, Answer(1, 200, b"[1]"))
        return Asked(self, 1, future)  # type: ignore[arg-type]

    def forget(self, id: int) -> None:
        pass


async def measure(*, profile: bool) -> None:
    endpoint, key = uuid4(), uuid4()
    place = Place(
        replica_id=uuid4(),
        host="",
        port=0,
        certificate="",
        bearer="",
        model="digits@1",
        model_json=b'"digits@1"',
        checker=Checker(SIGNATURE, 64),
    )
    route = Route(endpoint, str(endpoint), uuid4(), 1024, 30.0, (place,), None)
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    known = KeyRoute(key, endpoint, digest, time.time() + 3600, False, None)
    gateway = _Gateway(sessions=False)
    gateway.routes.table = Table(routes={str(endpoint): route}, keys={key.hex: known})
    gateway.routes.read_at = time.monotonic()
    link: Any = AtOnce(place)
    gateway.links.of = lambda places: [link]  # type: ignore[method-assign]

    async def send(message: Any) -> None:
        pass

    for kind, body in (("application/json", as_json()), ("application/octet-stream", image())):
        content = bytes(body)
        scope = {
            "type": "http",
            "method": "POST",
            "path": f"/v1/endpoints/{endpoint}/predict",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"authorization", f"Bearer dhk_{key.hex}_{SECRET}".encode()),
                (b"content-type", kind.encode()),
                (b"content-length", b"%d" % len(content)),
            ],
        }

        async def receive(content: bytes = content) -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def thousand(scope: Any = scope, receive: Any = receive) -> float:
            began = time.process_time()
            for _ in range(1000):
                await gateway.handle(scope, receive, send)
            return (time.process_time() - began) * 1000

        least = min([await thousand() for _ in range(7)])
        sys.stdout.write(f"{kind}: {least:.1f} us\n")
        if profile:
            with cProfile.Profile() as profiler:
                await thousand()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    uvloop.run(measure(profile="--profile" in sys.argv))
