"""What this node has to offer."""

import logging
import socket
import threading

from agents.node.config import State
from agents.protocol.faults import FaultKind
from agents.protocol.link import DeviceInfo, DeviceProcess, Inventory, Isolation
from agents.telemetry import host
from agents.telemetry.faults import Fault, OnFault, ignore
from agents.telemetry.nvml import Card, Nvml
from agents.telemetry.patient import Patient
from agents.telemetry.processes import Owners
from agents.telemetry.sampler import Readings
from agents.telemetry.simulated import InUse, SimulatedDevices

log = logging.getLogger(__name__)

DRIVER_SECONDS = 20.0  # a driver that takes longer to answer hangs


class AllDevices:
    """The GPUs of this host, and the simulated ones asked for."""

    def __init__(
        self, name: str, simulated: int, owners: Owners, in_use: InUse, on_fault: OnFault
    ) -> None:
        self._owners = owners
        nvml = Nvml(on_fault)
        self.cards = nvml.cards
        # one driver's silence is not the others'
        self._readers = (
            *((Patient(nvml, on_fault),) if nvml.cards else ()),
            SimulatedDevices(simulated, name, in_use=in_use),
        )
        self._facts = nvml.facts()

    def devices(self) -> list[DeviceInfo]:
        return [device for reader in self._readers for device in reader.devices()]

    def sample(self) -> dict[str, Readings]:
        return {uuid: read for reader in self._readers for uuid, read in reader.sample().items()}

    def processes(self) -> list[DeviceProcess]:
        found = [process for reader in self._readers for process in reader.processes()]
        return self._owners.named(found)

    def facts(self) -> dict[str, object]:
        return self._facts


class Hardware:
    """Asks the drivers once, and for a limited time; the limits of memory and cores every time."""

    def __init__(
        self,
        state: State,
        *,
        name: str = "",
        simulated_gpus: int = 0,
        in_use: InUse = dict,
        on_fault: OnFault = ignore,
    ) -> None:
        self._state = state
        self.isolation: Isolation | None = None  # once the agent has chosen
        self.facts = host.facts()
        self.devices: list[DeviceInfo] = []
        self.cards: list[Card] = []
        self.reader: AllDevices | SimulatedDevices = SimulatedDevices(0, name)

        def ask() -> None:
            reader = AllDevices(name, simulated_gpus, Owners(state.workloads), in_use, on_fault)
            found = reader.devices(), self.facts | reader.facts()
            self.reader, (self.devices, self.facts) = reader, found
            self.cards = reader.cards

        # a thread that may be left behind: nothing waits for it at the end of the process
        asking = threading.Thread(target=ask, name="hardware", daemon=True)
        asking.start()
        asking.join(DRIVER_SECONDS)
        if asking.is_alive():
            log.error("the GPU driver does not answer: going on without its devices")
            on_fault(Fault(FaultKind.DRIVER_HANGS))

    def inventory(self) -> Inventory:
        room = host.capacity(self._state.folder)
        return Inventory(
            hostname=socket.gethostname(),
            cpu_millis=room.cpu_millis,
            memory_bytes=room.memory_bytes,
            disk_bytes=room.disk_bytes,
            devices=self.devices,
            facts=self.facts,
            isolation=self.isolation,
        )
