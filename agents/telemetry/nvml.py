"""NVIDIA GPUs through the real NVML binding. A host without a driver simply has none.

What is asked of a card every second is in ``read``; what changes slowly, or takes long to ask for,
in ``read_slowly``: every ten seconds, the cards in turns, and held until the next time.
"""

import ctypes
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pynvml

from agents.protocol.faults import FaultKind
from agents.protocol.link import DeviceInfo, DeviceProcess
from agents.telemetry.faults import Fault, OnFault, ignore

log = logging.getLogger(__name__)

Readings = dict[str, float | None]
T = TypeVar("T")

SLOWLY = 10  # readings; from one slow reading of a card to the next
NVLINK_ALL_LANES = 0xFFFFFFFF  # in the place of a link: the sum of all
KIB = 1024
GPM_METRICS = {  # Hopper and later
    "sm_active_percent": pynvml.NVML_GPM_METRIC_SM_UTIL,
    "sm_occupancy_percent": pynvml.NVML_GPM_METRIC_SM_OCCUPANCY,
    "tensor_active_percent": pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL,
    "dram_active_percent": pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL,
}


@dataclass
class Card:
    """One GPU, whole or cut into slices."""

    uuid: str
    handle: Any
    slices: dict[str, Any] = field(default_factory=dict)  # by their own UUID
    lost: bool = False
    slow: Readings = field(default_factory=dict)
    told: set[FaultKind] = field(default_factory=set)  # what stays wrong is told once
    gpm: "Gpm | None" = None

    @property
    def leased(self) -> list[str]:
        """What workloads may have of it."""
        return list(self.slices) or [self.uuid]


class Nvml:
    """The GPUs of this host. Initialised in the process that reads, never before a fork.

    ``on_fault`` is called from the thread that reads, with what a reading shows to be wrong.
    """

    def __init__(self, on_fault: OnFault = ignore) -> None:
        self._on_fault = on_fault
        self._turn = 0
        self.cards: list[Card] = []
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            log.info("no NVIDIA driver: %s", error)
            return
        for index in range(pynvml.nvmlDeviceGetCount()):
            try:
                handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
                uuid = handle and _ask(pynvml.nvmlDeviceGetUUID, handle)
                if uuid:
                    self.cards.append(Card(uuid, handle, _slices(handle), gpm=Gpm.of(handle)))
            except pynvml.NVMLError_GpuIsLost:
                log.error("GPU %d is lost: going on without it", index)

    def facts(self) -> dict[str, Any]:
        """Driver and CUDA versions; empty without a driver."""
        if not self.cards:
            return {}
        cuda = _ask(pynvml.nvmlSystemGetCudaDriverVersion_v2)
        return {
            "driver": _ask(pynvml.nvmlSystemGetDriverVersion),
            "nvml": _ask(pynvml.nvmlSystemGetNVMLVersion),
            "cuda": cuda and f"{cuda // 1000}.{cuda % 1000 // 10}",
        }

    def devices(self) -> list[DeviceInfo]:
        """Every GPU and every slice of one, with what does not change about it."""
        found: list[DeviceInfo] = []
        for card in self.cards:
            try:
                found.append(_describe(card))
                found += [_describe_slice(card, uuid, part) for uuid, part in card.slices.items()]
            except pynvml.NVMLError_GpuIsLost:
                log.error("GPU %s is lost: going on without it", card.uuid)
        return found

    def sample(self) -> dict[str, Readings]:
        """One reading of every GPU; what a card cannot give is a gap, all of a lost one is."""
        self._turn += 1
        found: dict[str, Readings] = {}
        for at, card in enumerate(self.cards):
            if card.lost:
                continue
            try:
                if not card.slow or (self._turn + at) % SLOWLY == 0:
                    card.slow = read_slowly(card.handle)
                found[card.uuid] = read(card.handle) | card.slow | _gpm(card)
                for uuid, part in card.slices.items():
                    found[uuid] = _read_slice(part)
            except pynvml.NVMLError_GpuIsLost:
                card.lost = True
                self._tell(card, FaultKind.LOST)
                continue
            for kind, field_name in (
                (FaultKind.ROWS_FAILED, "remapped_rows_failed"),
                (FaultKind.ROWS_PENDING, "remapped_rows_pending"),
            ):
                if card.slow.get(field_name) and kind not in card.told:
                    card.told.add(kind)
                    self._tell(card, kind)
        return found

    def processes(self) -> list[DeviceProcess]:
        """Whatever uses the GPUs, ours or not; a card that does not tell has none."""
        found: list[DeviceProcess] = []
        for card in self.cards:
            try:
                for uuid, handle in (card.slices or {card.uuid: card.handle}).items():
                    found += processes_on(uuid, handle)
            except pynvml.NVMLError_GpuIsLost:
                continue  # the next reading says so
        return found

    def _tell(self, card: Card, kind: FaultKind) -> None:
        for uuid in card.leased:
            self._on_fault(Fault(kind, uuid))


def read(handle: Any) -> Readings:
    """One reading of one GPU, in the units of the names."""
    use = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2)
    instant = _field(handle, pynvml.NVML_FI_DEV_POWER_INSTANT)
    return {
        "utilization_percent": use and use.gpu,
        "memory_utilization_percent": use and use.memory,
        "memory_used_bytes": memory and memory.used,
        "memory_total_bytes": memory and memory.total,
        "temperature_celsius": _temperature(handle),
        "memory_temperature_celsius": _field(handle, pynvml.NVML_FI_DEV_MEMORY_TEMP),
        "temperature_margin_celsius": _ask(pynvml.nvmlDeviceGetMarginTemperature, handle),
        "power_watts": _scaled(_ask(pynvml.nvmlDeviceGetPowerUsage, handle), 1000),
        "power_instant_watts": _scaled(instant, 1000),
        "power_limit_watts": _scaled(_ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle), 1000),
        "energy_joules": _scaled(_ask(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle), 1000),
        "sm_clock_mhz": _ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "memory_clock_mhz": _ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        "graphics_clock_mhz": _ask(
            pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_GRAPHICS
        ),
        "clocks_event_reasons": _ask(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle),
        "performance_state": _ask(pynvml.nvmlDeviceGetPerformanceState, handle),
        "encoder_percent": _first(_ask(pynvml.nvmlDeviceGetEncoderUtilization, handle)),
        "decoder_percent": _first(_ask(pynvml.nvmlDeviceGetDecoderUtilization, handle)),
    }


def read_slowly(handle: Any) -> Readings:
    """What changes slowly, or takes a driver long: a throughput of PCIe alone about 20 ms."""
    bar1 = _ask(pynvml.nvmlDeviceGetBAR1MemoryInfo, handle)
    sent, received = (
        _ask(pynvml.nvmlDeviceGetPcieThroughput, handle, counter)
        for counter in (pynvml.NVML_PCIE_UTIL_TX_BYTES, pynvml.NVML_PCIE_UTIL_RX_BYTES)
    )
    return {
        "bar1_used_bytes": bar1 and bar1.bar1Used,
        "throttled_power_seconds": _seconds(handle, pynvml.NVML_FI_DEV_PERF_POLICY_POWER),
        "throttled_thermal_seconds": _seconds(handle, pynvml.NVML_FI_DEV_PERF_POLICY_THERMAL),
        "ecc_corrected": _ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        "ecc_uncorrected": _ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        "ecc_corrected_ever": _ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, ever=True),
        "ecc_uncorrected_ever": _ecc(handle, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, ever=True),
        "retired_pages_single_bit": _field(handle, pynvml.NVML_FI_DEV_RETIRED_SBE),
        "retired_pages_double_bit": _field(handle, pynvml.NVML_FI_DEV_RETIRED_DBE),
        "pcie_replay": _ask(pynvml.nvmlDeviceGetPcieReplayCounter, handle),
        "pcie_link_generation": _ask(pynvml.nvmlDeviceGetCurrPcieLinkGeneration, handle),
        "pcie_link_width": _ask(pynvml.nvmlDeviceGetCurrPcieLinkWidth, handle),
        "pcie_transmit_bytes_per_second": _scaled(sent, 1 / KIB),
        "pcie_receive_bytes_per_second": _scaled(received, 1 / KIB),
        "fan_percent": _fan(handle),
        **_remapped_rows(handle),
        **_nvlink(handle),
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


def card_at(cards: Iterable[Card], handle: Any) -> Card | None:
    """The card of a handle that an event came with; a lost card does not tell its UUID any more."""
    address = _address(handle)
    return next((card for card in cards if _address(card.handle) == address), None)


def slice_of(card: Card, instance: int) -> str | None:
    """The slice of a card that is this GPU instance."""
    for uuid, part in card.slices.items():
        try:
            if _ask(pynvml.nvmlDeviceGetGpuInstanceId, part) == instance:
                return uuid
        except pynvml.NVMLError_GpuIsLost:
            return None
    return None


class Gpm:
    """Hopper's counters: what they say is between two looks at them."""

    def __init__(self) -> None:
        self._before, self._now = pynvml.nvmlGpmSampleAlloc(), pynvml.nvmlGpmSampleAlloc()
        self._looks = 0

    @classmethod
    def of(cls, handle: Any) -> "Gpm | None":
        support = _ask(pynvml.nvmlGpmQueryDeviceSupport, handle)
        if support is None or not support.isSupportedDevice:
            return None
        return _ask(cls)

    def read(self, handle: Any) -> Readings:
        self._before, self._now = self._now, self._before
        if _ask(pynvml.nvmlGpmSampleGet, handle, self._now) is None:  # a profiler has them
            self._looks = 0
            return dict.fromkeys(GPM_METRICS)
        self._looks += 1
        if self._looks < 2:
            return dict.fromkeys(GPM_METRICS)
        asked = pynvml.c_nvmlGpmMetricsGet_t()
        asked.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        asked.numMetrics = len(GPM_METRICS)
        asked.sample1, asked.sample2 = self._before, self._now
        for at, metric in enumerate(GPM_METRICS.values()):
            asked.metrics[at].metricId = metric
        if _ask(pynvml.nvmlGpmMetricsGet, asked) is None:
            return dict.fromkeys(GPM_METRICS)
        return {
            name: asked.metrics[at].value
            if asked.metrics[at].nvmlReturn == pynvml.NVML_SUCCESS
            else None
            for at, name in enumerate(GPM_METRICS)
        }


def _gpm(card: Card) -> Readings:
    return card.gpm.read(card.handle) if card.gpm else {}


def _describe(card: Card) -> DeviceInfo:
    handle = card.handle
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2)
    pci = _ask(pynvml.nvmlDeviceGetPciInfo_v3, handle)
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    power = _ask(pynvml.nvmlDeviceGetPowerManagementLimitConstraints, handle) or (None, None)
    mig = _first(_ask(pynvml.nvmlDeviceGetMigMode, handle))
    known = {
        "serial": _ask(pynvml.nvmlDeviceGetSerial, handle),
        "minor": _ask(pynvml.nvmlDeviceGetMinorNumber, handle),  # /dev/nvidia<minor>
        "pci_bus_id": pci and pci.busId,
        "architecture": _ask(pynvml.nvmlDeviceGetArchitecture, handle),
        "compute_capability": capability and ".".join(map(str, capability)),
        "numa_node": _ask(pynvml.nvmlDeviceGetNumaNodeId, handle),
        "persistence": _ask(pynvml.nvmlDeviceGetPersistenceMode, handle),
        "ecc": _first(_ask(pynvml.nvmlDeviceGetEccMode, handle)),
        "mig": mig,
        "mig_most_slices": _ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) if mig else None,
        "max_sm_clock_mhz": _ask(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "max_memory_clock_mhz": _ask(
            pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_MEM
        ),
        "max_pcie_link_generation": _ask(pynvml.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        "max_pcie_link_width": _ask(pynvml.nvmlDeviceGetMaxPcieLinkWidth, handle),
        "least_power_limit_watts": _scaled(power[0], 1000),
        "most_power_limit_watts": _scaled(power[1], 1000),
        **{
            f"{name}_celsius": _ask(pynvml.nvmlDeviceGetTemperatureThreshold, handle, threshold)
            for name, threshold in (
                ("shutdown", pynvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN),
                ("slowdown", pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
                ("most_memory", pynvml.NVML_TEMPERATURE_THRESHOLD_MEM_MAX),
                ("most", pynvml.NVML_TEMPERATURE_THRESHOLD_GPU_MAX),
            )
        },
    }
    return DeviceInfo(
        uuid=card.uuid,
        name=_ask(pynvml.nvmlDeviceGetName, handle) or "NVIDIA GPU",
        memory_bytes=memory.total if memory else 0,
        index=_ask(pynvml.nvmlDeviceGetIndex, handle) or 0,
        divided=bool(mig),
        facts={name: value for name, value in known.items() if value is not None},
    )


def _describe_slice(card: Card, uuid: str, handle: Any) -> DeviceInfo:
    shape = _ask(pynvml.nvmlDeviceGetAttributes_v2, handle)
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2)
    known = {
        "gpu_instance": _ask(pynvml.nvmlDeviceGetGpuInstanceId, handle),
        "compute_instance": _ask(pynvml.nvmlDeviceGetComputeInstanceId, handle),
        "multiprocessors": shape and shape.multiprocessorCount,
        "gpu_slices": shape and shape.gpuInstanceSliceCount,
    }
    return DeviceInfo(
        uuid=uuid,
        name=_ask(pynvml.nvmlDeviceGetName, handle) or "NVIDIA GPU slice",
        memory_bytes=memory.total if memory else 0,
        index=_ask(pynvml.nvmlDeviceGetIndex, card.handle) or 0,
        parent=card.uuid,
        facts={name: value for name, value in known.items() if value is not None},
    )


def _slices(handle: Any) -> dict[str, Any]:
    """The MIG slices of a card, by their own UUID."""
    if not _first(_ask(pynvml.nvmlDeviceGetMigMode, handle)):
        return {}
    found: dict[str, Any] = {}
    for index in range(_ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        part = _ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        uuid = part and _ask(pynvml.nvmlDeviceGetUUID, part)
        if uuid:
            found[uuid] = part
    return found


def _read_slice(handle: Any) -> Readings:
    """What a slice has of its own; power and temperature are its card's."""
    memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version=pynvml.nvmlMemory_v2)
    return {
        "memory_used_bytes": memory and memory.used,
        "memory_total_bytes": memory and memory.total,
    }


def _address(handle: Any) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value


def _ask(query: Callable[..., T], *args: Any, **named: Any) -> T | None:
    """One NVML query. A reading the card cannot give is a gap in a chart, not an error.

    That the card is lost is another matter, and raised.
    """
    try:
        return query(*args, **named)
    except pynvml.NVMLError_GpuIsLost:
        raise
    except pynvml.NVMLError:
        return None


def _temperature(handle: Any) -> float | None:
    """By the new query, or the old one where a driver does not know it."""
    found = _ask(pynvml.nvmlDeviceGetTemperatureV, handle, pynvml.NVML_TEMPERATURE_GPU)
    if found is None:
        found = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    return found


def _field(handle: Any, asked: int, scope: int = 0) -> float | None:
    """A field value; NVML gives it as a union whose type is named beside it."""
    values = _ask(pynvml.nvmlDeviceGetFieldValues, handle, [(asked, scope)])
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


def _seconds(handle: Any, asked: int) -> float | None:
    return _scaled(_field(handle, asked), 1e9)


def _ecc(handle: Any, kind: int, *, ever: bool = False) -> int | None:
    counter = pynvml.NVML_AGGREGATE_ECC if ever else pynvml.NVML_VOLATILE_ECC
    return _ask(pynvml.nvmlDeviceGetTotalEccErrors, handle, kind, counter)


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


def _nvlink(handle: Any) -> Readings:
    """The links of a card, and the counters of all of them together."""
    count = _field(handle, pynvml.NVML_FI_DEV_NVLINK_LINK_COUNT)
    states = [
        _ask(pynvml.nvmlDeviceGetNvLinkState, handle, link) for link in range(int(count or 0))
    ]
    known = [state for state in states if state is not None]
    counters = {
        "nvlink_transmit_bytes": pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX,
        "nvlink_receive_bytes": pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX,
        "nvlink_crc_errors": pynvml.NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL,
        "nvlink_replays": pynvml.NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL,
        "nvlink_recoveries": pynvml.NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL,
    }
    values = {name: _field(handle, of, NVLINK_ALL_LANES) for name, of in counters.items()}
    for name in ("nvlink_transmit_bytes", "nvlink_receive_bytes"):
        values[name] = _scaled(values[name], 1 / KIB)
    links = {"nvlink_count": count, "nvlink_active": sum(known) if known else None}
    return links | values


def _fan(handle: Any) -> float | None:
    """The fastest fan; a card without fans has none."""
    count = _ask(pynvml.nvmlDeviceGetNumFans, handle)
    speeds = [
        _ask(pynvml.nvmlDeviceGetFanSpeed_v2, handle, fan)
        for fan in range(1 if count is None else count)
    ]
    return max((speed for speed in speeds if speed is not None), default=None)


def _first(values: Any) -> Any:
    return None if values is None else values[0]


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value / by
