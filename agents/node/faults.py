"""What is wrong with the devices of this node: told, and taken as the end of what ran on them."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable

from agents.node.failures import Failed
from agents.node.spool import Spool
from agents.node.supervisor import Supervisor
from agents.protocol.faults import code_of, verdict
from agents.protocol.link import DeviceInfo, DeviceReport
from agents.protocol.workloads import Cause
from agents.telemetry.faults import Fault

log = logging.getLogger(__name__)

AGAIN_SECONDS = 60.0  # a card that repeats itself is listened to this often
MOST_KNOWN = 10_000


class Faults:
    """``take`` may be called from any thread."""

    def __init__(
        self,
        spool: Spool,
        supervisor: Supervisor,
        loop: asyncio.AbstractEventLoop,
        *,
        on_news: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._supervisor = supervisor
        self._loop = loop
        self._on_news = on_news
        self._turn = threading.Lock()
        self._taken: dict[Fault, float] = {}  # when, by the monotonic clock
        self._indexes: dict[str, int] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def know(self, devices: Iterable[DeviceInfo]) -> None:
        """What people call the devices."""
        self._indexes = {device.uuid: device.index for device in devices}

    def take(self, fault: Fault) -> None:
        """Spool the report, and end what cannot come to a good end any more."""
        with self._turn:
            now = time.monotonic()
            if now - self._taken.get(fault, -AGAIN_SECONDS) < AGAIN_SECONDS:
                return
            if len(self._taken) >= MOST_KNOWN:
                self._taken.clear()
            self._taken[fault] = now
        log.error("device %s: %s %s", fault.device or "of this node", fault.kind, fault.xid or "")
        held = self._supervisor.holders(fault.device)
        try:
            # before the ends that follow from it: who retries must know the device by then
            self._spool.add_report(
                DeviceReport(
                    seq=0,
                    at=time.time(),
                    kind=fault.kind.value,
                    device=fault.device,
                    xid=fault.xid,
                    workloads=[workload.id for workload in held],
                )
            )
        except Exception:
            log.exception("a fault cannot be noted")
        with contextlib.suppress(RuntimeError):  # the loop is closed: the next agent sees it too
            self._loop.call_soon_threadsafe(self._follow, fault)

    def _follow(self, fault: Fault) -> None:
        self._on_news()
        if fault.device and verdict(fault.kind, fault.xid).ends_work:
            ending = self._loop.create_task(
                self._supervisor.hit(fault.device, why(fault, self._indexes.get(fault.device)))
            )
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


def why(fault: Fault, index: int | None) -> Failed:
    """The end of a workload that such a fault means."""
    params: dict[str, object] = {"device": fault.device, "index": index if index is not None else 0}
    if fault.xid is not None:
        params["xid"] = fault.xid
    return Failed(code_of(fault.kind, fault.xid), cause=Cause.HARDWARE, **params)
