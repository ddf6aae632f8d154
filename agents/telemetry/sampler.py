"""One reading a second for whoever watches, ten of them packed for keeping.

It has a thread of its own: a hung driver delays readings, never a heartbeat.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.protocol.blocks import pack
from agents.protocol.link import DeviceInfo, DeviceProcess, Live
from agents.telemetry.simulated import is_simulated

log = logging.getLogger(__name__)

Readings = dict[str, float | None]
PERIOD_SECONDS = 1.0
BLOCK_SAMPLES = 10
FREE_BELOW_BYTES = 1024**3  # of a device's memory in use when nothing runs there
PROCESS_SAMPLES = 5  # processes come and go more slowly than readings, and cost more to look up


class HostReader(Protocol):
    def sample(self) -> Readings: ...


class DeviceReader(Protocol):
    """NVML, or simulated devices."""

    def devices(self) -> list[DeviceInfo]: ...

    def sample(self) -> dict[str, Readings]: ...

    def processes(self) -> list[DeviceProcess]: ...


@dataclass(frozen=True)
class PackedBlock:
    start: float  # Unix seconds of its first sample
    data: bytes


class Sampler:
    """Calls ``on_live`` every second and ``on_block`` every ten, from its own thread."""

    def __init__(
        self,
        host: HostReader,
        devices: DeviceReader,
        *,
        on_live: Callable[[Live], None],
        on_block: Callable[[PackedBlock], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._devices = devices
        self._on_live = on_live
        self._on_block = on_block
        self._clock = clock
        self._kept: list[Live] = []
        self._newest: dict[str, Readings] | None = None  # until there was one
        self._processes: list[DeviceProcess] = []
        self._taken = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def taken(self, devices: Sequence[str]) -> str | None:
        """One of these whose memory is in use, as of the newest reading; None if all are free.

        Before the first reading nobody knows: then none is free. One that gives none is.
        """
        newest = self._newest
        for uuid in devices:
            if is_simulated(uuid):
                continue
            used = None if newest is None else newest.get(uuid, {}).get("memory_used_bytes")
            if newest is None or (used is not None and used > FREE_BELOW_BYTES):
                return uuid
        return None

    def stop(self) -> None:
        """Stop after the current reading; a driver that hangs is not waited for."""
        self._stopping.set()
        self._thread.join(timeout=2 * PERIOD_SECONDS)

    def take(self) -> None:
        """One reading, told and kept."""
        if self._taken % PROCESS_SAMPLES == 0:
            self._processes = self._devices.processes()
        self._taken += 1
        live = Live(
            at=self._clock(),
            host=self._host.sample(),
            devices=self._devices.sample(),
            processes=self._processes,
        )
        self._newest = live.devices
        self._on_live(live)
        self._kept.append(live)
        if len(self._kept) == BLOCK_SAMPLES:
            kept, self._kept = self._kept, []
            self._on_block(block_of(kept))

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            try:
                self.take()
            except Exception:
                self._newest = self._newest or {}
                log.exception("a reading failed")  # the next second has another
            # a slow reading skips seconds instead of running after them
            due = max(due + PERIOD_SECONDS, time.monotonic())


def block_of(kept: list[Live]) -> PackedBlock:
    """Pack readings a second apart; a field that one of them lacks is a gap there."""
    sources = [{"": live.host, **live.devices} for live in kept]
    keys = {
        (device, field): None  # a dict for its order
        for source in sources
        for device, readings in source.items()
        for field in readings
    }
    series = {
        (device, field): [source.get(device, {}).get(field) for source in sources]
        for device, field in keys
    }
    return PackedBlock(kept[0].at, pack(kept[0].at, PERIOD_SECONDS, series))
