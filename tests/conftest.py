"""Fixtures for all tests. The servers they need are started by the plugin in tests/servers.py."""

from pathlib import Path

import pytest

from tests.nvml import fake


@pytest.fixture(scope="session")
def fake_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library without GPUs, for whoever puts its folder on LD_LIBRARY_PATH or loads it."""
    return fake.build(tmp_path_factory.mktemp("nvml"))
