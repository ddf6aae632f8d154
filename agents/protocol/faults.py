"""What can be wrong with a device, and what has to be done about it: a pure table for both sides.

The node ends what runs on a device by it, the control plane gives the device no new work by it. The
numbers are NVIDIA's XIDs, the errors that its driver tells of; the actions are those of its
catalogue, in the classes that are acted upon here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class FaultKind(StrEnum):
    XID = "xid"  # the driver tells of an error; `xid` says which
    LOST = "lost"  # the device no longer answers: it fell off the bus
    DOUBLE_BIT_ECC = "double_bit_ecc"
    ECC_STORM = "ecc_storm"  # many corrected errors at once
    ROWS_PENDING = "rows_pending"  # memory rows are replaced at the next reset
    ROWS_FAILED = "rows_failed"  # there is nothing left to replace them with
    NOT_FREE = "not_free"  # memory of it is still taken, though nothing of ours runs on it
    DRIVER_HANGS = "driver_hangs"  # of every device of the node: nobody knows how they are
    DRIVER_ANSWERS = "driver_answers"  # again


class Action(StrEnum):
    """What has to be done, from nothing to hands."""

    NOTE = "note"  # nothing; it is remembered
    RESTART = "restart"  # the program has to begin again; the device is as good as before
    DRAIN = "drain"  # no new work; what runs may go on, and then a reset
    RESET = "reset"  # of no use until it was reset
    REPLACE = "replace"  # the host has to be started anew, or the hardware be replaced

    @property
    def keeps_work_away(self) -> bool:
        """Whether a device gets no new work until somebody has done it."""
        return self in {Action.DRAIN, Action.RESET, Action.REPLACE}


@dataclass(frozen=True)
class Verdict:
    action: Action
    ends_work: bool  # what runs on the device now is not going to come to a good end


_NOTE = Verdict(Action.NOTE, ends_work=False)
_RESTART = Verdict(Action.RESTART, ends_work=False)  # the program sees for itself
_HIT = Verdict(Action.RESTART, ends_work=True)  # its memory was hit: no fault of its own
_DRAIN = Verdict(Action.DRAIN, ends_work=False)
_RESET = Verdict(Action.RESET, ends_work=True)
_REPLACE = Verdict(Action.REPLACE, ends_work=True)

XIDS: Mapping[int, Verdict] = MappingProxyType(
    {
        13: _RESTART,  # graphics engine exception: mostly the program's own
        31: _RESTART,  # memory page fault: the program's own
        32: _RESTART,  # corrupted push buffer
        38: _RESTART,  # driver firmware error
        43: _RESTART,  # stopped processing: reset of the channel
        44: _RESTART,  # graphics engine fault during context switch
        45: _NOTE,  # preemptive cleanup: what follows another error, or a kill
        46: _RESET,  # stopped processing
        48: _RESET,  # double bit ECC error
        61: _RESET,  # microcontroller breakpoint
        62: _RESET,  # microcontroller halt
        63: _DRAIN,  # row remapping recorded: takes effect at the next reset
        64: _REPLACE,  # row remapping failed
        68: _RESTART,  # video processor exception
        69: _RESTART,  # graphics engine class error
        74: _RESET,  # NVLink error
        79: _REPLACE,  # fell off the bus
        92: _NOTE,  # high rate of single bit ECC errors
        94: _HIT,  # contained memory error
        95: _RESET,  # uncontained memory error
        109: _RESET,  # context switch timeout
        110: _REPLACE,  # security fault
        119: _RESET,  # GSP does not answer
        120: _RESET,  # GSP error
        121: _NOTE,  # C2C link error, corrected
        136: _RESET,  # link training failed
        140: _RESET,  # unrecovered ECC error
        142: _NOTE,  # NVENC error
        143: _REPLACE,  # initialisation failed
        145: _RESET,  # NVLink: remote memory cannot be reached
        155: _NOTE,  # NVLink: software defined error
        156: _NOTE,  # resource retirement
        157: _REPLACE,  # resource retirement failed
    }
)

_KINDS: Mapping[FaultKind, Verdict] = MappingProxyType(
    {
        FaultKind.LOST: _REPLACE,
        FaultKind.DOUBLE_BIT_ECC: _RESET,
        FaultKind.ECC_STORM: _NOTE,
        FaultKind.ROWS_PENDING: _DRAIN,
        FaultKind.ROWS_FAILED: _REPLACE,
        FaultKind.NOT_FREE: _DRAIN,
        FaultKind.DRIVER_HANGS: _DRAIN,
        FaultKind.DRIVER_ANSWERS: _NOTE,
    }
)


NAMED = frozenset({48, 63, 64, 74, 79, 94, 95, 119})  # XIDs that have a sentence of their own


def code_of(kind: str, xid: int | None) -> str:
    """The message code of a fault."""
    return f"device_{kind}_{xid}" if kind == FaultKind.XID and xid in NAMED else f"device_{kind}"


def verdict(kind: str, xid: int | None) -> Verdict:
    """What a fault asks for; of what nobody here knows, only that it be remembered."""
    if kind == FaultKind.XID:
        return XIDS.get(xid or 0, _NOTE)
    return _KINDS.get(FaultKind(kind), _NOTE) if kind in set(FaultKind) else _NOTE
