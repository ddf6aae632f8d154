"""HTTP to Django, to the byte transfer and the predictions beside it; websockets to apps.live and
apps.ingest."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings.embedded")
django = get_asgi_application()

# only now, with Django set up, can anything that touches a model be imported
from apps.artifacts import transfer  # noqa: E402
from apps.common import hub  # noqa: E402
from apps.common.limits import LimitBody  # noqa: E402
from apps.ingest import routing as ingest  # noqa: E402
from apps.ingest import writers  # noqa: E402
from apps.live import routing as live  # noqa: E402
from apps.serving.gateway import Gateway, is_prediction  # noqa: E402

requests = LimitBody(django)
predictions = Gateway(sessions=True)


async def http(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"].startswith("/transfer/"):
        await transfer.application(scope, receive, send)
    elif is_prediction(scope["path"]):
        await predictions(scope, receive, send)
    else:
        await requests(scope, receive, send)


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """There is no such socket: the handshake is refused."""
    await receive()
    await send({"type": "websocket.close"})


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """What the process holds beside its requests is started when first used, and ended here."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await writers.stop()
            await predictions.stop()
            await hub.close_here()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter(
            [
                *live.websocket_urlpatterns,
                *ingest.websocket_urlpatterns,
                re_path(r"", nobody),  # type: ignore[arg-type]  # Django's types know only views
            ]
        ),
        "lifespan": lifespan,
    }
)
