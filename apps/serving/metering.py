"""What a gateway counts: told live each second, stored every ten. The figures are in memory until
then, so a gateway that is killed loses at most the last twenty seconds of them."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError

from apps.common import hub
from apps.common.sockets import in_thread
from apps.serving import services
from apps.telemetry import histogram
from apps.telemetry import services as telemetry
from apps.telemetry.traffic import WINDOW_SECONDS, Tally, Window

log = logging.getLogger(__name__)

MAX_WINDOWS = 10_000  # held while the database is away
USED_AT_SECONDS = 60  # how exactly a key's last use is known


class Meter:
    """Counts what a gateway answered, by endpoint and second."""

    def __init__(self, outstanding: Callable[[str], int]) -> None:
        self.gateway = uuid4()
        self._outstanding = outstanding
        self._second = int(time.time())
        self._current: dict[str, Tally] = {}
        self._untold: list[tuple[int, str, Tally]] = []
        self._windows: dict[tuple[str, int], Window] = {}
        self._used: dict[UUID, float] = {}  # key -> when, not yet stored
        self._stored_use: dict[UUID, float] = {}
        self._away = False

    def note(
        self,
        endpoint: str,
        *,
        status: int,
        code: str = "",
        latency_us: float | None = None,  # of what a replica was asked for
        queue_us: int = 0,
        model_us: int = 0,
        rows: int = 0,
        received: int = 0,
        sent: int = 0,
    ) -> None:
        """Count a request that has ended."""
        second = int(time.time())
        if second != self._second:
            self._roll(second)
        tally = self._current.get(endpoint)
        if tally is None:
            tally = self._current[endpoint] = Tally()
        tally.requests += 1
        kind = status // 100
        tally.statuses[kind] = tally.statuses.get(kind, 0) + 1
        if kind == 5:
            tally.errors += 1
        if code:
            tally.refused[code] = tally.refused.get(code, 0) + 1
        if latency_us is not None:
            bucket = histogram.bucket_of(latency_us)
            tally.latencies[bucket] = tally.latencies.get(bucket, 0) + 1
        tally.queue_us += queue_us
        tally.model_us += model_us
        tally.rows += rows
        tally.received_bytes += received
        tally.sent_bytes += sent

    def used(self, key_id: UUID) -> None:
        self._used[key_id] = time.time()

    async def run(self) -> None:
        """Tell each second what happened in the one before, and store; until cancelled."""
        while True:
            now = time.time()
            await asyncio.sleep(1.02 - now % 1)
            self._roll(int(time.time()))
            try:
                self._tell()
                if self._second % WINDOW_SECONDS == 0:
                    await self.store(until=self._second)
            except Exception:  # whatever it is, the counting goes on
                log.exception("traffic cannot be told or stored")

    async def store(self, *, until: int | None = None) -> None:
        """Store the windows that ended by then; None: all there is."""
        if until is None:
            self._roll(int(time.time()) + 1)
        ended = [
            name
            for name in sorted(self._windows, key=lambda name: name[1])
            if until is None or name[1] + WINDOW_SECONDS <= until
        ]
        uses = {
            id: at
            for id, at in self._used.items()
            if until is None or at - self._stored_use.get(id, 0.0) >= USED_AT_SECONDS
        }
        if not ended and not uses:
            return
        rows = [
            (UUID(id), datetime.fromtimestamp(at, UTC), self._windows[id, at]) for id, at in ended
        ]
        try:
            await in_thread(_store)(self.gateway, rows, uses)
        except (DatabaseError, InterfaceError) as error:
            if not self._away:
                log.warning("traffic is kept for later, the database does not answer: %s", error)
            self._away = True
            for name in ended[: max(len(self._windows) - MAX_WINDOWS, 0)]:
                del self._windows[name]
            return
        self._away = False
        for name in ended:
            del self._windows[name]
        for id, at in uses.items():
            self._stored_use[id] = at
            if self._used.get(id) == at:
                del self._used[id]

    def _roll(self, second: int) -> None:
        """Close the second that was."""
        if second == self._second:
            return
        start = self._second - self._second % WINDOW_SECONDS
        for endpoint, tally in self._current.items():
            window = self._windows.get((endpoint, start))
            if window is None:
                window = self._windows[endpoint, start] = Window(Tally(), {})
            window.total.add(tally)
            window.seconds.setdefault(self._second - start, Tally()).add(tally)
            self._untold.append((self._second, endpoint, tally))
        self._current = {}
        self._second = second

    def _tell(self) -> None:
        for second, endpoint, tally in self._untold:
            hub.here().tell(
                f"endpoint.{endpoint}",
                {
                    "event": "traffic",
                    "gateway": self.gateway,
                    "at": datetime.fromtimestamp(second, UTC),
                    "requests": tally.requests,
                    "errors": tally.errors,
                    "p50_ms": tally.milliseconds(0.50),
                    "p99_ms": tally.milliseconds(0.99),
                    "outstanding": self._outstanding(endpoint),
                },
            )
        self._untold = []


def _store(
    gateway: UUID, windows: list[tuple[UUID, datetime, Window]], uses: dict[UUID, float]
) -> None:
    telemetry.record_traffic(gateway=gateway, windows=windows)
    services.note_key_uses(
        used_at={key: datetime.fromtimestamp(at, UTC) for key, at in uses.items()}
    )
