"""The table a gateway routes by: read from the database, kept current while the process lives.

Gateways hear of changes on the topic ``routes`` and look every two seconds regardless. While the
database is away the last table serves on.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from agents.protocol.base import Reason
from agents.protocol.results import Signature
from apps.common import hub
from apps.common.sockets import in_thread
from apps.serving.checks import Checker
from apps.serving.events import ROUTES
from apps.serving.models import Endpoint, Key, Replica, ReplicaState
from apps.serving.routing import KeyRoute, Place, Route, Table
from apps.workloads.bearers import bearer_of
from apps.workloads.models import Workload

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
REST_SECONDS = 0.1  # between two looks, however much is said
ASKED_SECONDS = 0.5  # between two looks that requests have asked for
ASK_SECONDS = 5.0  # how long a request waits for a look of its own
KEYS_OUTLIVE = timedelta(days=1)  # a deleted endpoint: so long its keys hear that it is gone


Checkers = dict[tuple[UUID, int], Checker | None]  # by version and most rows


def read_table(checkers: Checkers) -> Table:
    """What is served now. ``checkers`` keeps what was made for versions between two calls."""
    now = timezone.now()
    endpoints: list[Any] = list(
        Endpoint.objects.filter(deleted_at=None).values(
            "id",
            "project_id",
            "max_queue",
            "timeout_seconds",
            "replicas_wanted",
            "deployment__given_up_at",
            "deployment__reason",
        )
    )
    replicas: list[Any] = list(
        Replica.objects.filter(ended_at=None, deployment__endpoint__deleted_at=None)
        .order_by("number")
        .values(
            "id",
            "state",
            "reason",
            "gang_id",
            "deployment__endpoint_id",
            "deployment__max_batch",
            "deployment__version_id",
            "deployment__version__number",
            "deployment__version__signature",
            "deployment__version__model__name",
        )
    )
    ready = {row["gang_id"]: row for row in replicas if row["state"] == ReplicaState.READY}
    places: defaultdict[UUID, list[Place]] = defaultdict(list)
    unusable: list[UUID] = []
    workloads = Workload.objects.filter(gang_id__in=ready, rank=0, service__isnull=False)
    service: Any
    for id, gang_id, fence, service in workloads.values_list(
        "id", "gang_id", "gang__fence", "service"
    ):
        row = ready[gang_id]
        checker = _checker(row, checkers)
        if checker is None:
            row["reason"] = {"code": "signature_unusable", "params": {}}
            unusable.append(gang_id)
            continue
        model = f"{row['deployment__version__model__name']}@{row['deployment__version__number']}"
        places[row["deployment__endpoint_id"]].append(
            Place(
                replica_id=row["id"],
                host=service["host"],
                port=service["port"],
                certificate=service["certificate"],
                bearer=bearer_of(id, fence),
                model=model,
                model_json=msgspec.json.encode(model),
                checker=checker,
            )
        )
    reasons: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in replicas:
        if row["reason"] and (row["state"] != ReplicaState.READY or row["gang_id"] in unusable):
            reasons[row["deployment__endpoint_id"]].append(row["reason"])
    routes = {
        str(row["id"]): Route(
            id=row["id"],
            name=str(row["id"]),
            project_id=row["project_id"],
            max_queue=row["max_queue"],
            timeout_seconds=row["timeout_seconds"],
            places=tuple(places[row["id"]]),
            why=None if places[row["id"]] else _why(row, reasons[row["id"]]),
        )
        for row in endpoints
    }
    _forget_unused(
        checkers,
        {(row["deployment__version_id"], row["deployment__max_batch"]) for row in replicas},
    )
    keys = Key.objects.exclude(endpoint__deleted_at__lt=now - KEYS_OUTLIVE).values_list(
        "id", "endpoint_id", "secret_sha256", "expires_at", "revoked_at", "requests_per_minute"
    )
    return Table(
        routes=routes,
        keys={
            id.hex: KeyRoute(
                id, endpoint_id, digest, expires_at.timestamp(), revoked_at is not None, per_minute
            )
            for id, endpoint_id, digest, expires_at, revoked_at, per_minute in keys
        },
    )


def _checker(row: dict[str, Any], checkers: Checkers) -> Checker | None:
    """What reads the bodies of a version; None where its signature says nothing that can be."""
    name = (row["deployment__version_id"], row["deployment__max_batch"])
    if name not in checkers:
        try:
            signature = msgspec.convert(row["deployment__version__signature"], Signature)
            checkers[name] = Checker(signature, row["deployment__max_batch"])
        except Exception:  # it came with somebody's model, and must not end the others' routes
            log.exception("the signature of model version %s cannot be used", name[0])
            checkers[name] = None
    return checkers[name]


def _forget_unused(checkers: Checkers, used: set[tuple[UUID, int]]) -> None:
    for name in checkers.keys() - used:
        del checkers[name]


def _why(endpoint: dict[str, Any], reasons: list[dict[str, Any]]) -> Reason:
    """Why nothing answers: given up, asked for nothing, or on its way."""
    if endpoint["deployment__given_up_at"] and endpoint["deployment__reason"]:
        return msgspec.convert(endpoint["deployment__reason"], Reason)
    if endpoint["replicas_wanted"] == 0:
        return Reason(code="endpoint_scaled_to_zero")
    return msgspec.convert(reasons[-1], Reason) if reasons else Reason(code="endpoint_starting")


class Routes:
    """The table of this process, and whoever wants to know of a new one."""

    def __init__(self, changed: Callable[[Table], None]) -> None:
        self.table = Table(routes={}, keys={})
        self.read_at: float | None = None  # monotonic
        self._changed = changed
        self._checkers: Checkers = {}
        self._wanted = asyncio.Event()
        self._looks = 0  # begun
        self._looked = asyncio.Condition()
        self._seen = 0  # of the looks begun, the latest that gave a table
        self._away = False

    async def run(self) -> None:
        """Keep the table current until cancelled."""
        inbox = hub.here().open(self._heard)
        inbox.watch(ROUTES)
        try:
            while True:
                self._wanted.clear()
                await self._look()
                await asyncio.sleep(REST_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS - REST_SECONDS):
                        await self._wanted.wait()
        finally:
            await inbox.close()

    async def look_again(self) -> None:
        """Return once the table is no older than this call, or after a while regardless."""
        after = self._looks
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                # strangers ask too: not for more than two looks a second, however many they are
                await asyncio.sleep(max(0.0, ASKED_SECONDS - (self.age or ASKED_SECONDS)))
                self._wanted.set()
                await self._looked_since(after)

    async def _looked_since(self, after: int) -> None:
        async with self._looked:
            await self._looked.wait_for(lambda: self._seen > after)

    @property
    def age(self) -> float | None:
        """Seconds since the table was read; None: never."""
        return None if self.read_at is None else time.monotonic() - self.read_at

    async def _heard(self, _: str) -> None:
        self._wanted.set()

    async def _look(self) -> None:
        self._looks += 1
        look, began = self._looks, time.monotonic()
        try:
            table = await in_thread(read_table)(self._checkers)
        except (DatabaseError, InterfaceError) as error:
            if not self._away:
                log.warning("the last routes serve on, the database does not answer: %s", error)
            self._away = True
            return
        except Exception:  # one row that cannot be read must not end the gateway
            log.exception("the routes cannot be read")
            return
        if self._away:
            log.info("the database answers again")
        self._away = False
        self.table, self.read_at = table, began
        self._changed(table)
        async with self._looked:
            self._seen = look
            self._looked.notify_all()
