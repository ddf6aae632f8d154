from itertools import count

import pytest

from agents.protocol.blocks import unpack
from agents.protocol.link import DeviceInfo, DeviceProcess, Live
from agents.telemetry.sampler import PackedBlock, Sampler, block_of
from agents.telemetry.simulated import SimulatedDevices


class Steady:
    """A host whose readings count up."""

    def __init__(self) -> None:
        self._numbers = count()

    def sample(self) -> dict[str, float | None]:
        return {"cpu_percent": float(next(self._numbers))}


class NoDevices:
    asked = 0

    def devices(self) -> list[DeviceInfo]:
        return []

    def sample(self) -> dict[str, dict[str, float | None]]:
        return {}

    def processes(self) -> list[DeviceProcess]:
        self.asked += 1
        return [DeviceProcess(device="GPU-1", pid=self.asked)]


class TestSampler:
    def test_tells_every_reading_and_keeps_ten(self) -> None:
        seconds = count(100)
        lives: list[Live] = []
        blocks: list[PackedBlock] = []
        sampler = Sampler(
            Steady(),
            NoDevices(),
            on_live=lives.append,
            on_block=blocks.append,
            clock=lambda: float(next(seconds)),
        )

        for _ in range(25):
            sampler.take()

        assert [live.at for live in lives] == [float(at) for at in range(100, 125)]
        assert [block.start for block in blocks] == [100.0, 110.0]
        header, series = unpack(blocks[1].data)
        assert (header.start, header.step, header.count) == (110.0, 1.0, 10)
        assert series["", "cpu_percent"] == [float(number) for number in range(10, 20)]

    def test_looks_for_processes_now_and_then_and_tells_the_newest_always(self) -> None:
        lives: list[Live] = []
        sampler = Sampler(Steady(), NoDevices(), on_live=lives.append, on_block=lambda _: None)

        for _ in range(11):
            sampler.take()

        assert [live.processes[0].pid for live in lives] == [1] * 5 + [2] * 5 + [3]


class TestBlockOf:
    def test_a_device_that_came_late_has_gaps_before(self) -> None:
        lives = [
            Live(at=1.0, host={"load_1": 0.5}),
            Live(at=2.0, host={"load_1": None}, devices={"GPU-1": {"power_watts": 80.0}}),
        ]

        _, series = unpack(block_of(lives).data)

        assert series == {("", "load_1"): [0.5, None], ("GPU-1", "power_watts"): [None, 80.0]}


class TestSimulatedDevices:
    def test_says_that_it_is_simulated(self) -> None:
        devices = SimulatedDevices(2, "laptop")

        assert [device.simulated for device in devices.devices()] == [True, True]
        assert set(devices.sample()) == {"SIM-laptop-0", "SIM-laptop-1"}

    def test_energy_is_power_over_time(self) -> None:
        seconds = iter([0.0, 10.0])
        devices = SimulatedDevices(1, "laptop", clock=lambda: next(seconds))

        readings = devices.sample()["SIM-laptop-0"]

        assert readings["energy_joules"] == pytest.approx((readings["power_watts"] or 0) * 10, 0.01)

    def test_a_device_works_while_a_workload_holds_it_and_gets_warm(self) -> None:
        seconds = count()
        held: dict[str, int | None] = {}
        devices = SimulatedDevices(
            2, "laptop", in_use=lambda: held, clock=lambda: float(next(seconds))
        )
        idle = devices.sample()["SIM-laptop-0"]
        held["SIM-laptop-0"] = 4711

        for _ in range(120):
            busy = devices.sample()

        assert (busy["SIM-laptop-0"]["utilization_percent"] or 0) > 60
        assert (idle["utilization_percent"], busy["SIM-laptop-1"]["utilization_percent"]) == (0, 0)
        for field in ("temperature_celsius", "power_watts", "memory_used_bytes"):
            assert (busy["SIM-laptop-0"][field] or 0) > 1.5 * (idle[field] or 0), field
        (process,) = devices.processes()
        assert (process.device, process.pid) == ("SIM-laptop-0", 4711)
        held.clear()
        for _ in range(120):
            busy = devices.sample()
        assert busy["SIM-laptop-0"]["utilization_percent"] == 0
        assert devices.processes() == []
