"""Devices that are not there, for laptops and for trying out fleets; always shown as simulated."""

import math
import time
from collections.abc import Callable

from agents.protocol.link import DeviceInfo, DeviceProcess

Readings = dict[str, float | None]
MEMORY_BYTES = 80 * 1024**3


class SimulatedDevices:
    """The interface of `nvml.Nvml`, with smooth readings that depend on nothing but the clock."""

    def __init__(
        self, count: int, node: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._uuids = [f"SIM-{node}-{index}" for index in range(count)]
        self._clock = clock
        self._energy_joules = dict.fromkeys(self._uuids, 0.0)
        self._last = clock()

    def facts(self) -> dict[str, object]:
        return {}

    def devices(self) -> list[DeviceInfo]:
        return [
            DeviceInfo(
                uuid=uuid,
                name="Simulated GPU",
                memory_bytes=MEMORY_BYTES,
                index=index,
                simulated=True,
            )
            for index, uuid in enumerate(self._uuids)
        ]

    def sample(self) -> dict[str, Readings]:
        now = self._clock()
        elapsed, self._last = now - self._last, now
        return {
            uuid: self._read(uuid, index, now, elapsed) for index, uuid in enumerate(self._uuids)
        }

    def processes(self) -> list[DeviceProcess]:
        """None: nothing can run on what is not there."""
        return []

    def _read(self, uuid: str, index: int, now: float, elapsed: float) -> Readings:
        busy = 0.5 + 0.5 * math.sin(now / 30 + index)
        power = 70 + 630 * busy
        self._energy_joules[uuid] += power * elapsed
        return {
            "utilization_percent": round(100 * busy),
            "memory_utilization_percent": round(60 * busy),
            "memory_used_bytes": float(round(MEMORY_BYTES * (0.1 + 0.8 * busy))),
            "memory_total_bytes": float(MEMORY_BYTES),
            "temperature_celsius": round(35 + 45 * busy),
            "power_watts": power,
            "power_limit_watts": 700.0,
            "energy_joules": self._energy_joules[uuid],
            "sm_clock_mhz": round(300 + 1600 * busy),
        }
