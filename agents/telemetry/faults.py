"""What is wrong with a device, as whoever reads the hardware says it."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.protocol.faults import FaultKind


@dataclass(frozen=True)
class Fault:
    kind: FaultKind
    device: str = ""  # its UUID; "": all of them
    xid: int | None = None


OnFault = Callable[[Fault], None]  # called from the thread that sees it


def ignore(fault: Fault) -> None:
    """For whoever only reads."""
