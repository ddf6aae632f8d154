import ctypes
from pathlib import Path

import pynvml
import pytest

from tests.nvml import fake


@pytest.fixture
def cards(fake_nvml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fake.Cards:
    """Two cards of the fake library, for the real binding in this process."""
    told = fake.Cards(tmp_path / "nvml", 2)
    monkeypatch.setenv(fake.ENVIRONMENT, str(told.file))
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(fake_nvml)))
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return told
