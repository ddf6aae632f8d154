"""What the host itself says: CPU, memory, disk, network."""

import math
import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

Readings = dict[str, float | None]

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Capacity:
    """What workloads may take of this host, as the kernel limits us."""

    cpu_millis: int
    memory_bytes: int
    disk_bytes: int


def capacity(state: Path) -> Capacity:
    """Usable cores, memory and the disk below ``state``, with a container's limits applied."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _cpu_quota()
    millis = min((cores or 1) * 1000, quota or math.inf)
    memory = min(psutil.virtual_memory().total, _memory_limit() or math.inf)
    return Capacity(int(millis), int(memory), psutil.disk_usage(str(state)).total)


def facts() -> dict[str, Any]:
    """What does not change while the agent runs."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "torch": _version_of("torch"),
    }


def boot_id() -> str:
    """Names this boot; where the kernel gives none, the time of the boot does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"boot-{int(psutil.boot_time())}"


class Host:
    """Readings of this host; rates are over the time since the last call."""

    def __init__(self, state: Path) -> None:
        self._state = str(state)
        self._before = self._counters()
        psutil.cpu_percent()  # the first call only sets its starting point

    def sample(self) -> Readings:
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(self._state)
        before, self._before = self._before, self._counters()
        seconds = self._before["time"] - before["time"]

        def rate(counter: str) -> float | None:
            now, then = self._before.get(counter), before.get(counter)
            if now is None or then is None or seconds <= 0 or now < then:
                return None
            return (now - then) / seconds

        return {
            "cpu_percent": psutil.cpu_percent(),
            "load_1": os.getloadavg()[0],
            "memory_used_bytes": memory.total - memory.available,
            "memory_total_bytes": memory.total,
            "disk_used_bytes": disk.used,
            "disk_total_bytes": disk.total,
            "disk_read_bytes_per_second": rate("disk_read"),
            "disk_write_bytes_per_second": rate("disk_write"),
            "network_receive_bytes_per_second": rate("network_receive"),
            "network_transmit_bytes_per_second": rate("network_transmit"),
        }

    def _counters(self) -> dict[str, float]:
        counters = {"time": time.monotonic()}
        if disk := psutil.disk_io_counters():
            counters |= {"disk_read": disk.read_bytes, "disk_write": disk.write_bytes}
        network = psutil.net_io_counters(pernic=True)
        outside = [count for name, count in network.items() if name != "lo"]
        if outside:
            counters["network_receive"] = sum(count.bytes_recv for count in outside)
            counters["network_transmit"] = sum(count.bytes_sent for count in outside)
        return counters


def _cpu_quota() -> float | None:
    """Thousandths of a core that the cgroup allows (cgroup v2 ``cpu.max``, v1 ``cpu.cfs_*``)."""
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        quota = _read(CGROUP / "cpu/cpu.cfs_quota_us") or "max"
        period = _read(CGROUP / "cpu/cpu.cfs_period_us") or "100000"
    if quota in ("max", "-1"):
        return None
    return int(quota) * 1000 / int(period)


def _memory_limit() -> int | None:
    text = _read(CGROUP / "memory.max") or _read(CGROUP / "memory/memory.limit_in_bytes")
    return int(text) if text and text.isdigit() else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _cpu_model() -> str:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version_of(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
