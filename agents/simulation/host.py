"""A host that is not there: its readings, smooth, and of nothing but the clock."""

import math
import time
import zlib
from collections.abc import Callable

from agents.telemetry.sampler import Readings

CPU_MILLIS = 96_000
MEMORY_BYTES = 1024 * 1024**3
DISK_BYTES = 8 * 1000**4


class SimulatedHost:
    """The interface of `host.Host`; hosts of different names are not in step."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._phase = zlib.crc32(name.encode()) % 360
        self._clock = clock

    def sample(self) -> Readings:
        busy = 0.5 + 0.4 * math.sin(self._clock() / 60 + math.radians(self._phase))
        return {
            "cpu_percent": round(100 * busy, 1),
            "load_1": round(CPU_MILLIS / 1000 * busy, 2),
            "memory_used_bytes": float(round(MEMORY_BYTES * (0.1 + 0.7 * busy))),
            "memory_total_bytes": float(MEMORY_BYTES),
            "disk_used_bytes": float(DISK_BYTES // 3),
            "disk_total_bytes": float(DISK_BYTES),
            "disk_read_bytes_per_second": float(round(2e8 * busy)),
            "disk_write_bytes_per_second": float(round(5e7 * busy)),
            "network_receive_bytes_per_second": float(round(3e9 * busy)),
            "network_transmit_bytes_per_second": float(round(3e9 * busy)),
        }
