from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from agents.protocol.faults import FaultKind
from agents.telemetry import nvml
from agents.telemetry.events import Events
from agents.telemetry.faults import Fault
from agents.telemetry.patient import Patient
from tests.agents.node.waiting import wait_for
from tests.nvml import fake


class TestNvml:
    def test_a_host_without_a_driver_has_no_devices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

        monkeypatch.setattr(pynvml, "nvmlInit", refuse)

        gpus = nvml.Nvml()

        assert (gpus.devices(), gpus.sample(), gpus.facts()) == ([], {}, {})
        assert gpus.processes() == []


class TestProcesses:
    def test_are_told_once_each_whatever_they_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def running(**memory: int | None) -> Any:
            return lambda _: [
                SimpleNamespace(pid=int(pid[1:]), usedGpuMemory=used)
                for pid, used in memory.items()
            ]

        monkeypatch.setattr(
            pynvml, "nvmlDeviceGetComputeRunningProcesses", running(p1=1 << 30, p2=None)
        )
        monkeypatch.setattr(
            pynvml, "nvmlDeviceGetGraphicsRunningProcesses", running(p1=5, p3=1 << 20)
        )

        found = nvml.processes_on("GPU-1", object())

        assert [(one.device, one.pid, one.memory_used_bytes, one.kind) for one in found] == [
            ("GPU-1", 1, 1 << 30, "compute"),
            ("GPU-1", 2, None, "compute"),
            ("GPU-1", 3, 1 << 20, "graphics"),
        ]

    def test_of_a_card_that_does_not_tell_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

        monkeypatch.setattr(pynvml, "nvmlDeviceGetComputeRunningProcesses", refuse)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetGraphicsRunningProcesses", refuse)

        assert nvml.processes_on("GPU-1", object()) == []


class TestRead:
    def test_what_a_card_cannot_give_is_a_gap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

        queries = [name for name in dir(pynvml) if name.startswith("nvmlDeviceGet")]
        for name in queries:
            monkeypatch.setattr(pynvml, name, refuse)

        readings = nvml.read(object())

        assert set(readings.values()) == {None}

    @pytest.mark.parametrize(
        ("kind", "member"),
        [
            (pynvml.NVML_VALUE_TYPE_UNSIGNED_INT, "uiVal"),
            (pynvml.NVML_VALUE_TYPE_DOUBLE, "dVal"),
        ],
    )
    def test_a_field_is_read_by_its_type(
        self, kind: int, member: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = SimpleNamespace(
            nvmlReturn=pynvml.NVML_SUCCESS, valueType=kind, value=SimpleNamespace(**{member: 61})
        )
        monkeypatch.setattr(pynvml, "nvmlDeviceGetFieldValues", lambda *_: [found])

        assert nvml._field(object(), pynvml.NVML_FI_DEV_MEMORY_TEMP) == 61.0


class TestOneReading:
    def test_has_all_that_a_card_gives_in_the_units_of_the_names(self, cards: fake.Cards) -> None:
        gpus = nvml.Nvml()
        gpus.sample()

        readings = gpus.sample()[cards.uuid(0)]

        assert readings == {
            "utilization_percent": 97,
            "memory_utilization_percent": 61,
            "memory_used_bytes": fake.GIB // 2,  # without what is reserved
            "memory_total_bytes": 80 * fake.GIB,
            "bar1_used_bytes": fake.GIB,
            "temperature_celsius": 64,
            "memory_temperature_celsius": 71,
            "temperature_margin_celsius": 23,
            "power_watts": 612,
            "power_instant_watts": 633,
            "power_limit_watts": 700,
            "energy_joules": 5000,
            "sm_clock_mhz": 1980,
            "memory_clock_mhz": 2619,
            "graphics_clock_mhz": 1965,
            "clocks_event_reasons": 4,
            "throttled_power_seconds": 7,
            "throttled_thermal_seconds": 2,
            "performance_state": 0,
            "encoder_percent": 0,
            "decoder_percent": 3,
            "ecc_corrected": 2,
            "ecc_uncorrected": 0,
            "ecc_corrected_ever": 12,
            "ecc_uncorrected_ever": 1,
            "retired_pages_single_bit": None,
            "retired_pages_double_bit": None,
            "remapped_rows_corrected": 1,
            "remapped_rows_uncorrected": 0,
            "remapped_rows_pending": 0,
            "remapped_rows_failed": 0,
            "pcie_link_generation": 5,
            "pcie_link_width": 16,
            "pcie_transmit_bytes_per_second": 1000 * 1024,
            "pcie_receive_bytes_per_second": 2000 * 1024,
            "pcie_replay": 4,
            "nvlink_count": 4,
            "nvlink_active": 3,
            "nvlink_transmit_bytes": 10_000 * 1024,
            "nvlink_receive_bytes": 20_000 * 1024,
            "nvlink_crc_errors": 5,
            "nvlink_replays": 6,
            "nvlink_recoveries": 7,
            "fan_percent": None,  # there are none
            "sm_active_percent": 88,
            "sm_occupancy_percent": 44,
            "tensor_active_percent": 35,
            "dram_active_percent": 52,
        }

    @pytest.mark.parametrize(
        ("slots", "fields"),
        [
            (["temperature"], ["temperature_celsius"]),
            (["memory_temperature"], ["memory_temperature_celsius"]),
            (["power"], ["power_watts"]),
            (["energy"], ["energy_joules"]),
            (["memory_total"], ["memory_used_bytes", "memory_total_bytes"]),
            (["ecc_corrected"], ["ecc_corrected"]),
            (
                ["rows_corrected"],
                [f"remapped_rows_{n}" for n in ("corrected", "uncorrected", "pending", "failed")],
            ),
            (["pcie_transmit"], ["pcie_transmit_bytes_per_second"]),
            (["nvlink_count"], ["nvlink_count", "nvlink_active"]),
            (["gpm_tensor"], ["tensor_active_percent"]),
        ],
    )
    def test_lacks_what_one_card_cannot_give_and_nothing_else(
        self, cards: fake.Cards, slots: list[str], fields: list[str]
    ) -> None:
        cards.refuse(0, *slots)
        gpus = nvml.Nvml()
        gpus.sample()

        readings = gpus.sample()

        other = readings[cards.uuid(1)]
        for field, value in readings[cards.uuid(0)].items():
            assert value == (None if field in fields else other[field]), field

    def test_of_what_is_slow_is_asked_for_in_turns(self, cards: fake.Cards) -> None:
        gpus = nvml.Nvml()
        gpus.sample()
        cards.set(0, pcie_replay=9)
        cards.set(1, pcie_replay=9)

        read = [gpus.sample() for _ in range(nvml.SLOWLY)]

        turns = [[one[cards.uuid(card)]["pcie_replay"] for one in read].index(9) for card in (0, 1)]
        assert turns[0] != turns[1]
        assert read[-1][cards.uuid(0)]["pcie_replay"] == 9

    def test_of_several_fans_is_the_fastest(self, cards: fake.Cards) -> None:
        cards.set(0, fans=2, fan_0=30, fan_1=45)

        assert nvml.Nvml().sample()[cards.uuid(0)]["fan_percent"] == 45

    def test_of_a_lost_card_there_is_none_and_it_is_told_once(self, cards: fake.Cards) -> None:
        faults: list[Fault] = []
        gpus = nvml.Nvml(faults.append)
        cards.lose(0)

        read = [gpus.sample() for _ in range(3)]

        assert [set(one) for one in read] == [{cards.uuid(1)}] * 3
        assert faults == [Fault(FaultKind.LOST, cards.uuid(0))]
        assert gpus.processes() == []

    def test_shows_rows_that_wait_to_be_replaced_once(self, cards: fake.Cards) -> None:
        faults: list[Fault] = []
        cards.set(1, rows_pending=1)
        gpus = nvml.Nvml(faults.append)

        for _ in range(2 * nvml.SLOWLY):
            gpus.sample()

        assert faults == [Fault(FaultKind.ROWS_PENDING, cards.uuid(1))]


class TestDevices:
    def test_say_what_does_not_change(self, cards: fake.Cards) -> None:
        first, second = nvml.Nvml().devices()

        assert (first.uuid, first.name, first.index) == (cards.uuid(0), "NVIDIA H100 80GB HBM3", 0)
        assert (second.index, second.memory_bytes) == (1, 80 * fake.GIB)
        assert first.facts["compute_capability"] == "9.0"
        assert first.facts["slowdown_celsius"] == 90
        assert (first.divided, first.parent, first.simulated) == (False, "", False)

    def test_a_card_in_mig_mode_is_divided_into_devices_of_their_own(
        self, cards: fake.Cards
    ) -> None:
        cards.slice(0, 2)
        gpus = nvml.Nvml()

        card, *parts, whole = gpus.devices()
        readings = gpus.sample()

        assert (card.divided, whole.divided) == (True, False)
        assert [(part.uuid, part.parent) for part in parts] == [
            ("MIG-0-0", card.uuid),
            ("MIG-0-1", card.uuid),
        ]
        assert parts[0].memory_bytes == 10 * fake.GIB
        assert parts[1].facts["gpu_instance"] == 8
        assert readings["MIG-0-1"] == {
            "memory_used_bytes": fake.GIB + 1,
            "memory_total_bytes": 10 * fake.GIB,
        }
        assert readings[card.uuid]["temperature_celsius"] == 64

    def test_one_that_was_lost_before_is_not_there(self, cards: fake.Cards) -> None:
        cards.lose(0)

        assert [device.uuid for device in nvml.Nvml().devices()] == [cards.uuid(1)]

    def test_their_processes_are_told(self, cards: fake.Cards) -> None:
        cards.run(1, p4711=3 * fake.GIB)

        (process,) = nvml.Nvml().processes()

        assert (process.device, process.pid) == (cards.uuid(1), 4711)
        assert process.memory_used_bytes == 3 * fake.GIB


class TestEvents:
    def test_an_xid_is_told_with_its_number(self, cards: fake.Cards) -> None:
        faults: list[Fault] = []
        events = Events(nvml.Nvml().cards, faults.append)
        events.start()
        try:
            _until(lambda: self.hears(cards, faults))
            faults.clear()
            cards.tell(1, 79)

            _until(lambda: Fault(FaultKind.XID, cards.uuid(1), 79) in faults)
        finally:
            events.stop()

    def test_of_a_lost_card_are_still_told(self, cards: fake.Cards) -> None:
        faults: list[Fault] = []
        events = Events(nvml.Nvml().cards, faults.append)
        events.start()
        try:
            _until(lambda: self.hears(cards, faults))
            cards.lose(1)
            cards.tell(1, 79)

            _until(lambda: Fault(FaultKind.XID, cards.uuid(1), 79) in faults)
        finally:
            events.stop()

    def test_are_heard_again_after_a_wait_that_failed(self, cards: fake.Cards) -> None:
        faults: list[Fault] = []
        cards.break_events()
        events = Events(nvml.Nvml().cards, faults.append, pause_seconds=0.01)
        events.start()
        try:
            cards.break_events(False)

            _until(lambda: self.hears(cards, faults))
        finally:
            events.stop()

    def test_hit_the_slice_that_they_speak_of(self, cards: fake.Cards) -> None:
        cards.slice(0, 3)
        faults: list[Fault] = []
        events = Events(nvml.Nvml().cards, faults.append)
        events.start()
        try:
            _until(lambda: self.hears(cards, faults, card=1))
            faults.clear()
            cards.tell(0, 94, instance=8)
            _until(lambda: faults)
            assert faults == [Fault(FaultKind.XID, "MIG-0-1", 94)]
            cards.tell(0, 95)
            _until(lambda: len(faults) == 4)
            assert {fault.device for fault in faults[1:]} == {"MIG-0-0", "MIG-0-1", "MIG-0-2"}
        finally:
            events.stop()

    def test_a_card_that_tells_of_nothing_is_no_trouble(self, cards: fake.Cards) -> None:
        cards.refuse(0, "event_types")
        faults: list[Fault] = []
        events = Events(nvml.Nvml().cards, faults.append)
        events.start()
        try:
            _until(lambda: self.hears(cards, faults, card=1))
        finally:
            events.stop()

    def hears(self, cards: fake.Cards, faults: list[Fault], card: int = 0) -> bool:
        """Tell of something harmless until it is heard: only then somebody listens."""
        if not faults:
            cards.tell(card, 45)
        return bool(faults)


class TestPatience:
    def test_a_driver_that_hangs_leaves_gaps_and_is_told_of_until_it_answers(
        self, cards: fake.Cards
    ) -> None:
        faults: list[Fault] = []
        patient = Patient(nvml.Nvml(), faults.append, patience_seconds=0.05, hang_seconds=0.2)
        assert len(patient.sample()) == 2
        cards.hang()

        assert patient.sample() == {}
        assert patient.processes() == []
        _until(lambda: patient.sample() or faults)
        assert faults == [Fault(FaultKind.DRIVER_HANGS)]

        cards.hang(False)
        _until(patient.sample)
        assert len(patient.sample()) == 2
        assert faults == [Fault(FaultKind.DRIVER_HANGS), Fault(FaultKind.DRIVER_ANSWERS)]

    def test_what_a_reader_raises_is_raised(self) -> None:
        class Broken(nvml.Nvml):
            def sample(self) -> Any:
                raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            Patient(Broken()).sample()


def _until(look: Callable[[], object]) -> None:
    wait_for(look, "the driver's word", seconds=10)
