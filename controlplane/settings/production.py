"""Your own Postgres and Redis, TLS in front. Refuses to start with anything left at a default."""

import os
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from controlplane.settings.base import *  # noqa: F403
from controlplane.settings.base import (
    ALLOWED_HOSTS,
    CSRF_TRUSTED_ORIGINS,
    GATEWAY_URL,
    NODE_BROKER_URL,
    PUBLIC_URL,
    REDIS_URL,
    SECRET_KEY,
)

SHORTEST_PASSWORD = 12
# servers that are reached over a network on which nobody else is, such as a compose file's own
PRIVATE_HOSTS = [h for h in os.environ.get("DATAHALL_PRIVATE_HOSTS", "").split(",") if h]


def _refuse(name: str, why: str) -> None:
    raise ImproperlyConfigured(f"{name} {why}")


def _check_password(name: str, url: str) -> None:
    password = unquote(urlsplit(url).password or "")
    if not password:
        _refuse(name, "must have a password")
    if len(password) < SHORTEST_PASSWORD or len(set(password.lower())) < 6:
        _refuse(name, f"must have a password of at least {SHORTEST_PASSWORD} random characters")


def _stays_here(url: str) -> bool:
    """Whether what is said to this server leaves the machine, or a network of its own."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host in PRIVATE_HOSTS


_required = (
    "DATAHALL_SECRET_KEY",
    "DATAHALL_ALLOWED_HOSTS",
    "DATAHALL_PUBLIC_URL",
    "DATABASE_URL",
    "REDIS_URL",
)
if _missing := [name for name in _required if not os.environ.get(name)]:
    raise ImproperlyConfigured(f"set {', '.join(_missing)}")
for _name in ("DATAHALL_DEBUG", "DATAHALL_FAILPOINTS"):
    if os.environ.get(_name):
        _refuse(_name, "is for tests: unset it")
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10:
    _refuse("DATAHALL_SECRET_KEY", "must be at least 50 random characters")
if any("*" in host or (host.count(".") == 1 and host.startswith(".")) for host in ALLOWED_HOSTS):
    _refuse("DATAHALL_ALLOWED_HOSTS", "must name the hosts")
if not PUBLIC_URL.startswith("https://"):
    _refuse("DATAHALL_PUBLIC_URL", "must start with https://")
if not GATEWAY_URL.startswith("https://"):
    _refuse("DATAHALL_GATEWAY_URL", "must start with https://")
if any(not origin.startswith("https://") or "*" in origin for origin in CSRF_TRUSTED_ORIGINS):
    _refuse("DATAHALL_ORIGINS", "must start with https:// and name the hosts")
_check_password("DATABASE_URL", os.environ["DATABASE_URL"])
_check_password("REDIS_URL", REDIS_URL)
if not REDIS_URL.startswith("rediss://") and not _stays_here(REDIS_URL):
    _refuse(
        "REDIS_URL",
        "must start with rediss:// (TLS), or its host be named in DATAHALL_PRIVATE_HOSTS",
    )
if NODE_BROKER_URL and not NODE_BROKER_URL.startswith(("rediss://", "amqps://")):
    _refuse("DATAHALL_NODE_BROKER_URL", "must use TLS: nodes are on other hosts")

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked by those beside the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # to be preloaded is for the domain's owner to ask
