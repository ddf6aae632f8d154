"""The fake NVML from Python: building it, and changing what it says while somebody reads."""

import ctypes
import mmap
import re
import shutil
import subprocess
from pathlib import Path

import pynvml
import pytest

SOURCE = Path(__file__).with_name("fake.c")
SONAME = "libnvidia-ml.so.1"  # what the binding asks the loader for
ENVIRONMENT = "FAKE_NVML_STATE"
GIB = 1024**3

SLOTS: list[str] = [
    name
    for name in re.findall(r"X\((\w+)\)", SOURCE.read_text().partition("#define SLOTS")[2])
    if name != "NAME"
]
EVENTS = (
    pynvml.nvmlEventTypeXidCriticalError
    | pynvml.nvmlEventTypeDoubleBitEccError
    | pynvml.nvmlEventTypeSingleBitEccError
)

# what a healthy card of the kind says; a card knows more than one process can check at once
H100 = {
    "utilization": 97, "memory_utilization": 61, "encoder": 0, "decoder": 3,
    "memory_total": 80 * GIB, "memory_used": GIB // 2, "memory_reserved": GIB // 2,
    "bar1_total": 128 * GIB, "bar1_used": GIB,
    "temperature": 64, "memory_temperature": 71, "temperature_margin": 23,
    "threshold_shutdown": 95, "threshold_slowdown": 90, "threshold_memory": 105,
    "threshold_gpu": 87,
    "power": 612_000, "power_instant": 633_000, "power_limit": 700_000,
    "power_least": 200_000, "power_most": 700_000, "energy": 5_000_000,
    "clock_graphics": 1965, "clock_sm": 1980, "clock_memory": 2619,
    "max_clock_sm": 1980, "max_clock_memory": 2619,
    "performance_state": 0, "event_reasons": 4,
    "throttled_power": 7_000_000_000, "throttled_thermal": 2_000_000_000,
    "ecc_mode": 1, "ecc_corrected": 2, "ecc_uncorrected": 0,
    "ecc_corrected_ever": 12, "ecc_uncorrected_ever": 1,
    "rows_corrected": 1, "rows_uncorrected": 0, "rows_pending": 0, "rows_failed": 0,
    "pcie_generation": 5, "pcie_width": 16, "pcie_max_generation": 5, "pcie_max_width": 16,
    "pcie_transmit": 1000, "pcie_receive": 2000, "pcie_replay": 4,
    "nvlink_count": 4, "nvlink_active": 0b1011,
    "nvlink_transmit": 10_000, "nvlink_receive": 20_000,
    "nvlink_crc": 5, "nvlink_replay": 6, "nvlink_recovery": 7,
    "architecture": pynvml.NVML_DEVICE_ARCH_HOPPER, "capability": 90, "numa": 1,
    "persistence": 1, "mig_mode": 0, "event_types": EVENTS,
    "gpm": 1, "gpm_sm": 88, "gpm_occupancy": 44, "gpm_tensor": 35, "gpm_dram": 52,
}  # fmt: skip


class _Slot(ctypes.Structure):
    _fields_ = [
        ("value", ctypes.c_uint64),
        ("result", ctypes.c_int32),
        ("unused", ctypes.c_int32),
    ]


class _Process(ctypes.Structure):
    _fields_ = [
        ("used", ctypes.c_uint64),
        ("pid", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
    ]


class _Slice(ctypes.Structure):
    _fields_ = [
        ("uuid", ctypes.c_char * 96),
        ("name", ctypes.c_char * 96),
        ("total", ctypes.c_uint64),
        ("used", ctypes.c_uint64),
        ("gpu_instance", ctypes.c_uint32),
        ("compute_instance", ctypes.c_uint32),
    ]


class _Device(ctypes.Structure):
    _fields_ = [
        ("uuid", ctypes.c_char * 96),
        ("name", ctypes.c_char * 96),
        ("serial", ctypes.c_char * 32),
        ("bus", ctypes.c_char * 32),
        ("lost", ctypes.c_uint32),
        ("processes", ctypes.c_uint32),
        ("slices", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
        ("process", _Process * 8),
        ("slice", _Slice * 8),
        ("slot", _Slot * len(SLOTS)),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_uint64),
        ("data", ctypes.c_uint64),
        ("device", ctypes.c_uint32),
        ("gpu_instance", ctypes.c_uint32),
    ]


class _State(ctypes.Structure):
    _fields_ = [
        ("init_result", ctypes.c_uint32),
        ("devices", ctypes.c_uint32),
        ("hanging", ctypes.c_uint32),
        ("events", ctypes.c_uint32),
        ("broken_events", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
        ("calls", ctypes.c_uint64),
        ("event", _Event * 64),
        ("device", _Device * 8),
    ]


def build(folder: Path) -> Path:
    """Compile the library into a folder; skips the test where there is nothing to compile with."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: the fake NVML cannot be built")
    headers = _headers()
    if headers is None:
        pytest.skip("nvidia-nvml-dev is not installed: there is no nvml.h")
    library = folder / SONAME
    subprocess.run(
        [
            *(compiler, "-shared", "-fPIC", "-O1", "-w", f"-Wl,-soname,{SONAME}"),
            *(f"-I{headers}", str(SOURCE), "-o", str(library)),
        ],
        check=True,
    )
    return library


def _headers() -> Path | None:
    import nvidia  # type: ignore[import-not-found, import-untyped, unused-ignore]

    for folder in nvidia.__path__:
        for found in sorted(Path(folder).glob("*/include/nvml.h")):
            return found.parent
    return None


class Cards:
    """What the library says, in every process that has loaded it."""

    def __init__(self, file: Path, count: int) -> None:
        self.file = file
        file.write_bytes(bytes(ctypes.sizeof(_State)))
        with file.open("r+b") as opened:
            self._mapped = mmap.mmap(opened.fileno(), 0)
        self._state = _State.from_buffer(self._mapped)
        for index in range(count):
            self._add(index)
        self._state.devices = count

    def uuid(self, index: int) -> str:
        return str(self._state.device[index].uuid.decode())

    def set(self, index: int, **values: int) -> None:
        """New values of some readings."""
        for name, value in values.items():
            slot = self._state.device[index].slot[SLOTS.index(name)]
            slot.value, slot.result = value, pynvml.NVML_SUCCESS

    def refuse(self, index: int, *names: str, why: int = pynvml.NVML_ERROR_NOT_SUPPORTED) -> None:
        """Some readings are not given any more; without names, none is."""
        for name in names or SLOTS:
            self._state.device[index].slot[SLOTS.index(name)].result = why

    def lose(self, index: int, *, lost: bool = True) -> None:
        self._state.device[index].lost = lost

    def hang(self, hanging: bool = True) -> None:
        self._state.hanging = hanging

    def break_events(self, broken: bool = True) -> None:
        self._state.broken_events = broken

    def tell(
        self,
        index: int,
        data: int,
        *,
        kind: int = pynvml.nvmlEventTypeXidCriticalError,
        instance: int = 0xFFFFFFFF,
    ) -> None:
        """An event, as the kernel's driver would give it; an XID by default."""
        event = self._state.event[self._state.events % 64]
        event.type, event.data, event.device = kind, data, index
        event.gpu_instance = instance
        self._state.events += 1

    def run(self, index: int, **pids: int) -> None:
        """The processes on a card, as ``p<pid>=bytes``."""
        device = self._state.device[index]
        for at, (pid, used) in enumerate(pids.items()):
            device.process[at].pid, device.process[at].used = int(pid[1:]), used
        device.processes = len(pids)

    def slice(self, index: int, count: int) -> None:
        """Cut a card into MIG slices."""
        device = self._state.device[index]
        for at in range(count):
            part = device.slice[at]
            part.uuid = f"MIG-{index}-{at}".encode()
            part.name = b"NVIDIA H100 80GB HBM3 MIG 1g.10gb"
            part.total, part.used = 10 * GIB, GIB + at
            part.gpu_instance, part.compute_instance = 7 + at, 0
        device.slices = count
        self.set(index, mig_mode=1, mig_most=7)

    @property
    def calls(self) -> int:
        """How often a reading was asked for."""
        return int(self._state.calls)

    def _add(self, index: int) -> None:
        device = self._state.device[index]
        device.uuid = f"GPU-{index:08d}-fake".encode()
        device.name = b"NVIDIA H100 80GB HBM3"
        device.serial = f"16504230{index:05d}".encode()
        device.bus = f"00000000:{index + 1:02X}:00.0".encode()
        self.refuse(index)
        self.set(index, **H100)
