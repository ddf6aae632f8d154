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
