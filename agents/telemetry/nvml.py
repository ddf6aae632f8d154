"""NVIDIA GPUs through the real NVML binding. A host without a driver simply has none."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import pynvml

from agents.protocol.link import DeviceInfo, DeviceProcess

log = logging.getLogger(__name__)

Readings = dict[str, float | None]
T = TypeVar("T")


class Nvml:
    """The GPUs of this host. Initialised in the process that reads, never before a fork."""

    def __init__(self) -> None:
        self._handles: dict[str, Any] = {}
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            log.info("no NVIDIA driver: %s", error)
            return
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
            uuid = handle and _ask(pynvml.nvmlDeviceGetUUID, handle)
            if uuid:
                self._handles[uuid] = handle

    def facts(self) -> dict[str, Any]:
        """Driver and CUDA versions; empty without a driver."""
        if not self._handles:
            return {}
        cuda = _ask(pynvml.nvmlSystemGetCudaDriverVersion_v2)
        return {
            "driver": _ask(pynvml.nvmlSystemGetDriverVersion),
            "nvml": _ask(pynvml.nvmlSystemGetNVMLVersion),
            "cuda": cuda and f"{cuda // 1000}.{cuda % 1000 // 10}",
        }

    def devices(self) -> list[DeviceInfo]:
        """Every GPU with what does not change about it."""
        return [_describe(uuid, handle) for uuid, handle in self._handles.items()]

    def sample(self) -> dict[str, Readings]:
        """One reading of every GPU; what a card cannot give is a gap."""
        return {uuid: read(handle) for uuid, handle in self._handles.items()}

    def processes(self) -> list[DeviceProcess]:
        """Whatever uses the GPUs, ours or not; a card that does not tell has none."""
        return [
            process
            for uuid, handle in self._handles.items()
            for process in processes_on(uuid, handle)
        ]


def read(handle: Any) -> Readings:
    """One reading of one GPU, in the units of the names."""
    use = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2)
    throttled = _ask(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    return {
        "utilization_percent": use and use.gpu,
        "memory_utilization_percent": use and use.memory,
        "memory_used_bytes": memory and memory.used,
        "memory_total_bytes": memory and memory.total,
        "temperature_celsius": _ask(
            pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU
        ),
        "memory_temperature_celsius": _field(handle, pynvml.NVML_FI_DEV_MEMORY_TEMP),
        "power_watts": _scaled(_ask(pynvml.nvmlDeviceGetPowerUsage, handle), 1000),
        "power_limit_watts": _scaled(_ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle), 1000),
        "energy_joules": _scaled(_ask(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle), 1000),
        "sm_clock_mhz": _ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "memory_clock_mhz": _ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        "graphics_clock_mhz": _ask(
            pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_GRAPHICS
        ),
        "clocks_event_reasons": throttled,
        "performance_state": _ask(pynvml.nvmlDeviceGetPerformanceState, handle),
        "ecc_corrected": _ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        "ecc_uncorrected": _ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        "pcie_replay": _ask(pynvml.nvmlDeviceGetPcieReplayCounter, handle),
        "pcie_link_generation": _ask(pynvml.nvmlDeviceGetCurrPcieLinkGeneration, handle),
        "pcie_link_width": _ask(pynvml.nvmlDeviceGetCurrPcieLinkWidth, handle),
        "fan_percent": _ask(pynvml.nvmlDeviceGetFanSpeed_v2, handle, 0),
        "encoder_percent": _first(_ask(pynvml.nvmlDeviceGetEncoderUtilization, handle)),
        "decoder_percent": _first(_ask(pynvml.nvmlDeviceGetDecoderUtilization, handle)),
        **_remapped_rows(handle),
    }


def processes_on(uuid: str, handle: Any) -> list[DeviceProcess]:
    """The processes on one GPU, each once: one that computes may draw as well."""
    found: dict[int, DeviceProcess] = {}
    for kind, query in (
        ("compute", pynvml.nvmlDeviceGetComputeRunningProcesses),
        ("graphics", pynvml.nvmlDeviceGetGraphicsRunningProcesses),
    ):
        for process in _ask(query, handle) or ():
            told = DeviceProcess(
                device=uuid, pid=process.pid, memory_used_bytes=process.usedGpuMemory, kind=kind
            )
            found.setdefault(process.pid, told)
    return list(found.values())


def _describe(uuid: str, handle: Any) -> DeviceInfo:
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle)
    pci = _ask(pynvml.nvmlDeviceGetPciInfo_v3, handle)
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    known = {
        "serial": _ask(pynvml.nvmlDeviceGetSerial, handle),
        "minor": _ask(pynvml.nvmlDeviceGetMinorNumber, handle),  # /dev/nvidia<minor>
        "pci_bus_id": pci and pci.busId,
        "architecture": _ask(pynvml.nvmlDeviceGetArchitecture, handle),
        "compute_capability": capability and ".".join(map(str, capability)),
        "numa_node": _ask(pynvml.nvmlDeviceGetNumaNodeId, handle),
        "ecc": _first(_ask(pynvml.nvmlDeviceGetEccMode, handle)),
        "mig": _first(_ask(pynvml.nvmlDeviceGetMigMode, handle)),
        "max_sm_clock_mhz": _ask(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "max_pcie_link_generation": _ask(pynvml.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        "max_pcie_link_width": _ask(pynvml.nvmlDeviceGetMaxPcieLinkWidth, handle),
    }
    return DeviceInfo(
        uuid=uuid,
        name=_ask(pynvml.nvmlDeviceGetName, handle) or "NVIDIA GPU",
        memory_bytes=memory.total if memory else 0,
        index=_ask(pynvml.nvmlDeviceGetIndex, handle) or 0,
        facts={name: value for name, value in known.items() if value is not None},
    )


def _ask(query: Callable[..., T], *args: Any, **named: Any) -> T | None:
    """One NVML query. A reading the card cannot give is a gap in a chart, not an error."""
    try:
        return query(*args, **named)
    except pynvml.NVMLError:
        return None


def _field(handle: Any, field: int) -> float | None:
    """A field value; NVML gives it as a union whose type is named beside it."""
    values = _ask(pynvml.nvmlDeviceGetFieldValues, handle, [field])
    if not values or values[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return None
    members = {
        pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
        pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
        pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
        pynvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    }
    member = members.get(values[0].valueType)
    return None if member is None else float(getattr(values[0].value, member))


def _ecc(handle: Any, kind: int) -> int | None:
    return _ask(pynvml.nvmlDeviceGetTotalEccErrors, handle, kind, pynvml.NVML_VOLATILE_ECC)


def _remapped_rows(handle: Any) -> Readings:
    corrected, uncorrected, pending, failed = _ask(pynvml.nvmlDeviceGetRemappedRows, handle) or (
        None,
        None,
        None,
        None,
    )
    return {
        "remapped_rows_corrected": corrected,
        "remapped_rows_uncorrected": uncorrected,
        "remapped_rows_pending": pending,
        "remapped_rows_failed": failed,
    }


def _first(values: Any) -> Any:
    return None if values is None else values[0]


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value / by
