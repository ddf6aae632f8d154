"""What this node has to offer."""

import socket

from agents.node.config import Identity, State
from agents.protocol.link import DeviceInfo, Inventory
from agents.telemetry import host
from agents.telemetry.nvml import Nvml
from agents.telemetry.sampler import Readings
from agents.telemetry.simulated import SimulatedDevices


class AllDevices:
    """The GPUs of this host, and the simulated ones asked for."""

    def __init__(self, simulated: int, name: str) -> None:
        self._readers: tuple[Nvml | SimulatedDevices, ...] = (
            Nvml(),
            SimulatedDevices(simulated, name),
        )

    def devices(self) -> list[DeviceInfo]:
        return [device for reader in self._readers for device in reader.devices()]

    def sample(self) -> dict[str, Readings]:
        return {uuid: read for reader in self._readers for uuid, read in reader.sample().items()}

    def facts(self) -> dict[str, object]:
        return {name: fact for reader in self._readers for name, fact in reader.facts().items()}


class Hardware:
    """Looks once at what does not change, and afresh at the limits every time it is asked."""

    def __init__(self, state: State, simulated_gpus: int, identity: Identity | None) -> None:
        name = identity.node.hex[:12] if identity else socket.gethostname()
        self._state = state
        self.devices = AllDevices(simulated_gpus, name)
        self._facts = host.facts() | self.devices.facts()

    def inventory(self) -> Inventory:
        room = host.capacity(self._state.folder)
        return Inventory(
            hostname=socket.gethostname(),
            cpu_millis=room.cpu_millis,
            memory_bytes=room.memory_bytes,
            disk_bytes=room.disk_bytes,
            devices=self.devices.devices(),
            facts=self._facts,
        )
