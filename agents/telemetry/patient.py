"""Asking a driver that may never answer.

The questions are asked by a thread of their own. Whoever wants the answer waits for less than a
second: then there is none, until the driver comes back. Only the sampler's thread asks.
"""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from agents.protocol.faults import FaultKind
from agents.protocol.link import DeviceInfo, DeviceProcess
from agents.telemetry.faults import Fault, OnFault, ignore
from agents.telemetry.sampler import DeviceReader, Readings

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.7  # of a second between two readings
HANG_SECONDS = 10.0  # after this it is said that the driver hangs

T = TypeVar("T")


class _Question:
    def __init__(self, call: Callable[[], Any], at: float) -> None:
        self.call = call
        self.at = at
        self.answer: Any = None
        self.error: Exception | None = None
        self.done = threading.Event()


class Patient:
    """A reader of devices that never hangs, in front of one that may."""

    def __init__(
        self,
        reader: DeviceReader,
        on_fault: OnFault = ignore,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        hang_seconds: float = HANG_SECONDS,
    ) -> None:
        self._reader = reader
        self._on_fault = on_fault
        self._patience_seconds = patience_seconds
        self._hang_seconds = hang_seconds
        self._questions: SimpleQueue[_Question] = SimpleQueue()
        self._open: _Question | None = None  # asked and not answered
        self._said = False  # that it hangs
        threading.Thread(target=self._answer, name="driver", daemon=True).start()

    def devices(self) -> list[DeviceInfo]:
        return self._ask(self._reader.devices) or []

    def sample(self) -> dict[str, Readings]:
        return self._ask(self._reader.sample) or {}

    def processes(self) -> list[DeviceProcess]:
        return self._ask(self._reader.processes) or []

    def _ask(self, call: Callable[[], T]) -> T | None:
        """The answer, or None if there is none in time."""
        if self._open is not None:  # what an earlier caller did not wait for, nobody wants any more
            if not self._open.done.wait(self._patience_seconds):
                self._consider(self._open)
                return None
            self._open = None
        self._open = question = _Question(call, time.monotonic())
        self._questions.put(question)
        if not question.done.wait(self._patience_seconds):
            self._consider(question)
            return None
        self._open = None
        if self._said:
            self._said = False
            log.warning("the GPU driver answers again")
            self._on_fault(Fault(FaultKind.DRIVER_ANSWERS))
        if question.error is not None:
            raise question.error
        return question.answer  # type: ignore[no-any-return]

    def _consider(self, question: _Question) -> None:
        if not self._said and time.monotonic() - question.at >= self._hang_seconds:
            self._said = True
            log.error("the GPU driver does not answer; there are no readings until it does")
            self._on_fault(Fault(FaultKind.DRIVER_HANGS))

    def _answer(self) -> None:
        while True:
            question = self._questions.get()
            try:
                question.answer = question.call()
            except Exception as error:  # noqa: BLE001 - raised to whoever asked
                question.error = error
            question.done.set()
