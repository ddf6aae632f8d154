"""What every wire type shares."""

from typing import Any, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True)  # what subclasses inherit
class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A frozen wire type. Unknown fields are ignored: either side may be the newer one."""


class Reason(Message):
    """Why something is as it is: a code of the message catalogue and its parameters.

    It is stored like this and rendered in the reader's language, so it never holds prose.
    """

    code: str
    params: dict[str, Any] = {}


class Resources(Message):
    """What one workload takes on its node.

    Devices are leased exclusively; CPU and memory are reserved by sum.
    """

    cpu_millis: int
    memory_bytes: int
    device_count: int = 0
    device_kind: str = ""  # a GPU's product name, "" for any
    device_memory_bytes: int = 0  # at least this much on each device
    simulated: bool = False  # on simulated nodes, and nowhere else: nothing is computed
