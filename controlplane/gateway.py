"""The inference gateway as a process of its own: predictions, and whether it is alive and ready."""

import gc
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
django.setup()

# only now, with Django set up, can anything that touches a model be imported
import msgspec  # noqa: E402

from apps.common import hub  # noqa: E402
from apps.serving.gateway import Gateway  # noqa: E402

# a cookie is for the port of the pages; here only what a program sends is a proof
gateway = Gateway(sessions=False)


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        match scope["path"]:
            case "/healthz":
                await answer(send, 200, {"status": "ok"})
            case "/readyz":
                standing = gateway.standing()
                await answer(send, 200 if standing["status"] == "ok" else 503, standing)
            case _:
                await gateway(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close"})


async def lifespan(receive: Any, send: Any) -> None:
    """Routes and connections are there before the first request, and end after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await gateway.start()
            gc.collect()
            gc.freeze()  # what is there now stays: the collector need not look at it again
        else:
            await gateway.stop()
            await hub.close_here()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def answer(send: Any, status: int, body: dict[str, Any]) -> None:
    raw = msgspec.json.encode(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(raw))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
