from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from agents.telemetry import nvml


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
