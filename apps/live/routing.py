"""How a socket of /live proves who it is: a cookie of our own pages, or a bearer."""

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import re_path

from apps.common.sockets import bearer_of
from apps.live.consumers import LiveConsumer

_live = LiveConsumer.as_asgi()
# a browser sends the cookie whichever page asks, so the page must be ours
_with_cookie = AllowedHostsOriginValidator(AuthMiddlewareStack(_live))


async def door(scope: Any, receive: Any, send: Any) -> None:
    """A program with a bearer needs no Origin: no foreign page can make a browser send one."""
    await (_with_cookie if bearer_of(scope) is None else _live)(scope, receive, send)


# Django's types know only views here
websocket_urlpatterns = [re_path(r"^live$", door)]  # type: ignore[arg-type]
