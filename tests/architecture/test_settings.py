"""Production starts with nothing left at a default, and Django finds nothing to say about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG = "q7TzP2mXw9Lk4RvB"
GOOD = {
    "DJANGO_SETTINGS_MODULE": "controlplane.settings.production",
    "DATAHALL_SECRET_KEY": "Zm9ydHktdHdvLWlzLXRoZS1hbnN3ZXItdG8tZXZlcnl0aGluZy0xMjM0",
    "DATAHALL_ALLOWED_HOSTS": "datahall.example.org",
    "DATAHALL_PUBLIC_URL": "https://datahall.example.org",
    "DATABASE_URL": os.environ["DATABASE_URL"],
    "REDIS_URL": os.environ["REDIS_URL"],
}


def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class TestProduction:
    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"REDIS_URL": f"rediss://:{LONG}@valkey.example.org:6380/0"},
            {"REDIS_URL": f"redis://:{LONG}@valkey:6379/0", "DATAHALL_PRIVATE_HOSTS": "valkey"},
        ],
        ids=["here", "tls", "private"],
    )
    def test_starts_clean(self, more: dict[str, str]) -> None:
        result = check(GOOD | more)

        assert result.returncode == 0, result.stderr

    @pytest.mark.parametrize(
        "wrong",
        [
            {"DATAHALL_SECRET_KEY": ""},
            {"DATAHALL_SECRET_KEY": "short"},
            {"DATAHALL_SECRET_KEY": "a" * 60},
            {"DATAHALL_ALLOWED_HOSTS": ""},
            {"DATAHALL_ALLOWED_HOSTS": "*"},
            {"DATAHALL_PUBLIC_URL": ""},
            {"DATAHALL_PUBLIC_URL": "http://datahall.example.org"},
            {"DATABASE_URL": ""},
            {"DATABASE_URL": "postgresql://datahall@127.0.0.1/datahall"},
            {"DATABASE_URL": "postgresql://datahall:datahall@127.0.0.1/datahall"},
            {"DATABASE_URL": "postgresql://datahall:PASSWORD@127.0.0.1/datahall"},
            {"REDIS_URL": ""},
            {"REDIS_URL": "redis://127.0.0.1:6379/0"},
            {"REDIS_URL": "redis://:PASSWORD@127.0.0.1:6379/0"},
            {"REDIS_URL": f"redis://:{LONG}@valkey.example.org:6379/0"},
            {"REDIS_URL": f"redis://:{LONG}@10.0.0.7:6379/0"},
            {"DATAHALL_NODE_BROKER_URL": "redis://valkey.example.org:6379/0"},
            {"DATAHALL_GATEWAY_URL": "http://datahall.example.org"},
            {"DATAHALL_ALLOWED_HOSTS": "datahall.example.org,*"},
            {"DATAHALL_ALLOWED_HOSTS": ".org"},
            {"DATAHALL_ORIGINS": "http://datahall.example.org"},
            {"DATAHALL_ORIGINS": "https://*.example.org"},
            {"DATAHALL_DEBUG": "1"},
            {"DATAHALL_FAILPOINTS": "outbox.published=crash"},
        ],
        ids=lambda wrong: "=".join(next(iter(wrong.items()))),
    )
    def test_refuses(self, wrong: dict[str, str]) -> None:
        result = check(GOOD | wrong)

        assert result.returncode != 0
        assert "ImproperlyConfigured" in result.stderr
        assert next(iter(wrong)) in result.stderr.splitlines()[-1]


def test_no_installation_has_a_secret_it_was_not_given() -> None:
    result = check({"DJANGO_SETTINGS_MODULE": "controlplane.settings.embedded"})

    assert "SECRET_KEY" in result.stderr
