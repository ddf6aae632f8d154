from pathlib import Path

import pytest

from agents.telemetry import host


class TestHost:
    def test_reads_this_machine(self, tmp_path: Path) -> None:
        readings = host.Host(tmp_path).sample()

        assert 0 <= (readings["cpu_percent"] or 0) <= 100
        used, total = readings["memory_used_bytes"], readings["memory_total_bytes"]
        assert used is not None
        assert total is not None
        assert 0 < used < total

    def test_a_counter_that_went_back_is_a_gap(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = [(0.0, 100.0), (2.0, 300.0), (3.0, 10.0)]
        counters = iter([{"time": at, "disk_read": total} for at, total in read])
        monkeypatch.setattr(host.Host, "_counters", lambda _: next(counters))
        reader = host.Host(tmp_path)

        assert reader.sample()["disk_read_bytes_per_second"] == 100.0
        assert reader.sample()["disk_read_bytes_per_second"] is None


class TestCapacity:
    def test_counts_whole_cores(self, tmp_path: Path) -> None:
        found = host.capacity(tmp_path)

        assert found.cpu_millis >= 1000
        assert found.memory_bytes > 0
        assert found.disk_bytes > 0

    @pytest.mark.parametrize(
        ("text", "millis"), [("50000 100000", 500), ("250000 100000", 2500), ("max 100000", None)]
    )
    def test_a_container_may_use_less(
        self, text: str, millis: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "cpu.max").write_text(text)
        (tmp_path / "memory.max").write_text("1048576")
        monkeypatch.setattr(host, "CGROUP", tmp_path)

        found = host.capacity(tmp_path)

        assert found.memory_bytes == 1048576
        assert found.cpu_millis <= (millis or found.cpu_millis)
