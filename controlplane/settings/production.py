"""Your own Postgres and Redis, TLS in front. Refuses to start with anything left at a default."""

import os

from django.core.exceptions import ImproperlyConfigured

from controlplane.settings.base import *  # noqa: F403
from controlplane.settings.base import ALLOWED_HOSTS, PUBLIC_URL, SECRET_KEY

_required = (
    "DATAHALL_SECRET_KEY",
    "DATAHALL_ALLOWED_HOSTS",
    "DATAHALL_PUBLIC_URL",
    "DATABASE_URL",
    "REDIS_URL",
)
if _missing := [name for name in _required if not os.environ.get(name)]:
    raise ImproperlyConfigured(f"set {', '.join(_missing)}")
if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 10:
    raise ImproperlyConfigured("DATAHALL_SECRET_KEY must be at least 50 random characters")
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("DATAHALL_ALLOWED_HOSTS must name the hosts")
if not PUBLIC_URL.startswith("https://"):
    raise ImproperlyConfigured("DATAHALL_PUBLIC_URL must start with https://")

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked by those beside the proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # to be preloaded is for the domain's owner to ask
