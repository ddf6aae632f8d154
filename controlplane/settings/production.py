"""Your own Postgres and Redis, TLS in front. Refuses to start with anything left at a default."""

import os

from django.core.exceptions import ImproperlyConfigured

from controlplane.settings.base import *  # noqa: F403

_required = ("DATAHALL_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "DATAHALL_ALLOWED_HOSTS")
if _missing := [name for name in _required if not os.environ.get(name)]:
    raise ImproperlyConfigured(f"set {', '.join(_missing)}")

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31536000
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
