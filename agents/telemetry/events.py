"""What the driver tells of by itself: XIDs, and what else is not read but happens.

Waiting for it blocks, so it has a thread of its own; a wait that fails is begun anew.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any

import pynvml

from agents.protocol.faults import FaultKind
from agents.telemetry.faults import Fault, OnFault
from agents.telemetry.nvml import Card, card_at, slice_of

log = logging.getLogger(__name__)

WAIT_MILLISECONDS = 500
PAUSE_SECONDS = 5.0  # after a wait that failed
WHOLE_CARD = 0xFFFFFFFF  # in the place of a GPU instance

KINDS = {
    pynvml.nvmlEventTypeXidCriticalError: FaultKind.XID,
    pynvml.nvmlEventTypeDoubleBitEccError: FaultKind.DOUBLE_BIT_ECC,
    pynvml.nvmlEventTypeSingleBitEccErrorStorm: FaultKind.ECC_STORM,
    pynvml.nvmlEventTypeGpuUnavailableError: FaultKind.LOST,
}


class Events:
    """Calls ``on_fault`` from its own thread. Without cards it does nothing."""

    def __init__(
        self, cards: Sequence[Card], on_fault: OnFault, *, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._cards = cards
        self._on_fault = on_fault
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        if self._cards:
            self._thread.start()

    def stop(self) -> None:
        """Stop after the current wait; a driver that hangs is not waited for."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * WAIT_MILLISECONDS / 1000)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception:
                log.exception("the driver's events cannot be heard; trying again")
                self._stopping.wait(self._pause_seconds)

    def _listen(self) -> None:
        events = pynvml.nvmlEventSetCreate()
        try:
            telling = [card for card in self._cards if self._register(card, events)]
            if not telling:
                log.info("no card of this host tells of its errors")
                self._stopping.wait()
            while not self._stopping.is_set():
                try:
                    event = pynvml.nvmlEventSetWait_v2(events, WAIT_MILLISECONDS)
                except pynvml.NVMLError_Timeout:
                    continue
                self._take(event)
        finally:
            pynvml.nvmlEventSetFree(events)

    def _register(self, card: Card, events: Any) -> bool:
        """Ask to be told of a card, as far as it tells; a lost one has no more to tell."""
        try:
            wanted = pynvml.nvmlDeviceGetSupportedEventTypes(card.handle) & sum(KINDS)
            if wanted:
                pynvml.nvmlDeviceRegisterEvents(card.handle, wanted, events)
        except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_GpuIsLost):
            return False
        return bool(wanted)

    def _take(self, event: Any) -> None:
        card, kind = card_at(self._cards, event.device), KINDS.get(event.eventType)
        if card is None or kind is None:
            return
        xid = int(event.eventData) if kind is FaultKind.XID else None
        part = None if event.gpuInstanceId == WHOLE_CARD else slice_of(card, event.gpuInstanceId)
        for uuid in [part] if part else card.leased:
            self._on_fault(Fault(kind, uuid, xid))
