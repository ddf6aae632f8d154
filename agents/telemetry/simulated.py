"""Devices that are not there, for laptops and for trying out fleets; always shown as simulated.

They compute nothing. What runs "on" one runs on the CPU, and the readings are made up: those of an
idle card, until a workload holds it; then those of one at work, warming up as a card does.
"""

import math
import time
import zlib
from collections.abc import Callable, Mapping

from agents.protocol.link import DeviceInfo, DeviceProcess

Readings = dict[str, float | None]

NAME = "Simulated GPU"
PREFIX = "SIM-"  # of every simulated device's UUID, and of no other's
MEMORY_BYTES = 80 * 1024**3
IDLE_BYTES = 600 * 1024**2  # what a driver keeps for itself
POWER_LIMIT_WATTS = 700.0
IDLE_WATTS = 72.0
ROOM_CELSIUS = 30.0
CELSIUS_PER_WATT = 0.068
RAMP_SECONDS = 4.0  # until a card is at work
WARM_SECONDS = 40.0  # until it is as warm as it gets

InUse = Callable[[], Mapping[str, int | None]]  # by UUID: the process of the workload that has it


def is_simulated(uuid: str) -> bool:
    """Whether there is no such device; CUDA is not told of it."""
    return uuid.startswith(PREFIX)


class SimulatedDevices:
    """The interface of `nvml.Nvml`. ``in_use`` says which of them workloads hold just now."""

    def __init__(
        self,
        count: int,
        node: str,
        *,
        in_use: InUse = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cards = {uuid: _Card(uuid) for uuid in (f"{PREFIX}{node}-{i}" for i in range(count))}
        self._in_use = in_use
        self._clock = clock
        self._last = clock()

    def facts(self) -> dict[str, object]:
        return {}

    def devices(self) -> list[DeviceInfo]:
        return [
            DeviceInfo(uuid=uuid, name=NAME, memory_bytes=MEMORY_BYTES, index=index, simulated=True)
            for index, uuid in enumerate(self._cards)
        ]

    def sample(self) -> dict[str, Readings]:
        now = self._clock()
        elapsed, self._last = max(0.0, now - self._last), now
        held = self._in_use()
        return {uuid: card.read(now, elapsed, uuid in held) for uuid, card in self._cards.items()}

    def processes(self) -> list[DeviceProcess]:
        """The processes of the workloads that hold a device; they run on the CPU."""
        return [
            DeviceProcess(device=uuid, pid=pid, memory_used_bytes=self._cards[uuid].work_bytes)
            for uuid, pid in self._in_use().items()
            if pid is not None and uuid in self._cards
        ]


class _Card:
    """One card's state: how hard it works, how warm it is, what it has used."""

    def __init__(self, uuid: str) -> None:
        chance = zlib.crc32(uuid.encode())
        self._phase = math.radians(chance % 360)  # cards are not in step
        self._share = 0.35 + chance // 360 % 50 / 100  # of its memory, that its work fills
        self._effort = 0.0
        self._heat = 0.0  # watts that it has warmed up to
        self._energy_joules = 0.0

    @property
    def work_bytes(self) -> int:
        return round(self._effort * self._share * MEMORY_BYTES)

    def read(self, now: float, elapsed: float, held: bool) -> Readings:
        self._effort += (float(held) - self._effort) * _step(elapsed, RAMP_SECONDS)
        ripple = math.sin(now / 7 + self._phase) + 0.6 * math.sin(now / 1.9 + 3 * self._phase)
        busy = self._effort * (0.88 + 0.07 * ripple)
        watts = IDLE_WATTS + 560 * busy + ripple
        self._heat = self._heat or watts
        self._heat += (watts - self._heat) * _step(elapsed, WARM_SECONDS)
        self._energy_joules += watts * elapsed
        celsius = ROOM_CELSIUS + CELSIUS_PER_WATT * self._heat
        clock = 345 if self._effort < 0.05 else round(1980 - 60 * busy)
        traffic = busy * (1 + 0.2 * ripple)
        return {
            "utilization_percent": float(round(100 * busy)),
            "memory_utilization_percent": float(round(62 * busy)),
            "memory_used_bytes": float(IDLE_BYTES + self.work_bytes),
            "memory_total_bytes": float(MEMORY_BYTES),
            "temperature_celsius": float(round(celsius)),
            "memory_temperature_celsius": float(round(celsius + 6 * self._effort)),
            "power_watts": round(watts, 1),
            "power_limit_watts": POWER_LIMIT_WATTS,
            "energy_joules": round(self._energy_joules, 1),
            "sm_clock_mhz": float(clock),
            "memory_clock_mhz": 2619.0 if self._effort > 0.05 else 1593.0,
            "clocks_event_reasons": 0.0 if self._effort > 0.05 else 1.0,
            "performance_state": 0.0 if self._effort > 0.05 else 8.0,
            "pcie_receive_bytes_per_second": float(round(2.2e9 * traffic)),
            "pcie_transmit_bytes_per_second": float(round(6e8 * traffic)),
            "ecc_corrected": 0.0,
            "ecc_uncorrected": 0.0,
        }


def _step(elapsed: float, over: float) -> float:
    """How much of a distance is gone after a while, of something that slows as it arrives."""
    return 1.0 - math.exp(-elapsed / over)
