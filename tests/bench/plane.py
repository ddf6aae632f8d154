"""What a serving benchmark needs of an installation: database, Valkey, rows, replica, gateway."""

import atexit
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from controlplane.cli.embedded.postgres import Postgres
from controlplane.cli.embedded.service import running
from controlplane.cli.embedded.valkey import Valkey
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
GATEWAY = (
    *("-m", "uvicorn", "controlplane.gateway:application", "--host", "127.0.0.1"),
    *(
        "--loop",
        "uvloop",
        "--http",
        "controlplane.http:BoundedHttp",
        "--no-access-log",
        "--log-level",
        "warning",
    ),
    *("--no-proxy-headers", "--no-date-header", "--no-server-header"),
)


@dataclass
class Ours:
    """A served model behind a gateway."""

    url: str
    headers: dict[str, str]
    gateway_pid: int
    replica_pid: int


@contextmanager
def serving() -> Iterator[Ours]:
    """A gateway process and a replica process, with a key and with metering, as in production."""
    _stores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datahall-bench-")))
        endpoint_id, key, replica_pid = _served(folder, stack)
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, *GATEWAY, "--port", str(port)],
            cwd=ROOT,
        )
        stack.callback(_end, process)
        base = f"http://127.0.0.1:{port}"
        _until_connected(base)
        yield Ours(
            url=f"{base}/v1/endpoints/{endpoint_id}/predict",
            headers=key,
            gateway_pid=process.pid,
            replica_pid=replica_pid,
        )


@cache
def _stores() -> None:
    """One database and one Valkey for the whole run: Django reads only once where they are."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datahall-bench-")))
    postgres = Postgres(
        state=folder, port=free_port(), password=secrets.token_urlsafe(16), durable=False
    )
    postgres.prepare()
    stack.enter_context(running(postgres.service(), log=folder / "postgres.log"))
    valkey = Valkey(
        state=folder, port=free_port(), password=secrets.token_urlsafe(16), durable=False
    )
    valkey.prepare()
    stack.enter_context(running(valkey.service(), log=folder / "valkey.log"))
    os.environ |= {
        "DATABASE_URL": postgres.url(),
        "REDIS_URL": valkey.url,
        "DATAHALL_STATE": str(folder),
        "DJANGO_SETTINGS_MODULE": "controlplane.settings.test",
    }


def _served(folder: Path, stack: ExitStack) -> tuple[str, dict[str, str], int]:
    """An endpoint, a key of it, and a replica that runs."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    import msgspec

    from apps.workloads.bearers import bearer_of
    from apps.workloads.models import Workload
    from tests.agents.runners.replica import Replica
    from tests.apps.serving.gateway import make

    replica = Replica(folder / "replica", bearer="")
    signature = msgspec.json.decode(
        (folder / "replica" / "fetched" / "model" / "signature.json").read_bytes()
    )
    endpoint = make.endpoint(signature=signature, max_batch=64)
    row = make.ready(endpoint, None)
    workload = Workload.objects.select_related("gang").get(gang_id=row.gang_id)
    replica = Replica(folder / "replica", bearer=bearer_of(workload.id, workload.gang.fence))
    replica.start()
    stack.callback(replica.close)
    Workload.objects.filter(pk=workload.pk).update(service=msgspec.to_builtins(replica.service()))
    return str(endpoint.id), make.key(endpoint)[1], replica.process.pid


logging.getLogger("httpx").setLevel(logging.WARNING)


def _until_connected(base: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if httpx.get(f"{base}/readyz").json()["replicas_connected"]:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the gateway does not reach the replica")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    process.wait(20)
