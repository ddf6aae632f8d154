"""What pytest runs under; tests/conftest.py starts the servers and sets the URLs first."""

import os

os.environ.setdefault("DATAHALL_SECRET_KEY", "only-for-tests-0123456789abcdef0123456789abcdef")

from controlplane.settings.base import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
