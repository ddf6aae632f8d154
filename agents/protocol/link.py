"""Frames of the one websocket between a node and the control plane.

A frame is a MessagePack array of items; an item is ``[tag, body]`` whose body stays raw until the
tag is known, so a kind that one side does not know yet is skipped and spoils nothing.
"""

from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from agents.protocol.base import Message, Reason
from agents.protocol.specs import FileRef
from agents.protocol.workloads import Cause, WorkloadState

MAX_FRAME_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024

T = TypeVar("T", bound=Message)
A = TypeVar("A")


class Item(msgspec.Struct, array_like=True, frozen=True):
    tag: str
    body: msgspec.Raw


# --- up: from the node ---------------------------------------------------------------------------


class Hello(Message, tag="hello"):
    """First item of every link."""

    protocol_version: int
    agent_version: str
    boot_id: str
    sent_at: float  # the node's clock, Unix seconds
    inventory: "Inventory"


class DeviceInfo(Message):
    uuid: str
    name: str
    memory_bytes: int
    index: int
    simulated: bool = False
    facts: dict[str, Any] = {}
    parent: str = ""  # of a MIG slice: the UUID of its card (agent 0.1.0)
    divided: bool = False  # a card in MIG mode: only its slices are leased (agent 0.1.0)


class Isolation(Message):
    """What payloads on a node are kept from."""

    profile: str  # "bwrap": everything but their own; "none": nothing
    reason: Reason | None = None  # why it is "none"
    limits: list[str] = []  # of "memory", "processes": what the kernel holds them to


class Inventory(Message):
    hostname: str
    cpu_millis: int
    memory_bytes: int
    disk_bytes: int
    devices: list[DeviceInfo] = []
    facts: dict[str, Any] = {}  # driver, CUDA, torch, kernel, python, cpu model
    simulated: bool = False  # there is no such host: whatever runs on it is pretended (agent 0.1.0)
    isolation: Isolation | None = None  # agent 0.1.0


class Heartbeat(Message, tag="heartbeat"):
    """Every 10 s: this node is there, and these workloads really run on it."""

    sent_at: float
    running: list["RunningWorkload"] = []


class RunningWorkload(Message):
    workload: UUID
    fence: int
    state: WorkloadState


class Service(Message):
    """Where a workload that serves is reached, once it is warm."""

    host: str
    port: int
    certificate: str  # PEM, self-signed, made for this run: callers trust it and no other


class WorkloadReport(Message, tag="workload"):
    """A workload has moved. Sequenced per node, spooled until acknowledged."""

    seq: int
    workload: UUID
    fence: int
    state: WorkloadState
    at: float
    reason: Reason | None = None
    cause: Cause | None = None
    exit_code: int | None = None  # negative: the signal's number
    log_bytes: int | None = None  # final size of the log, from `finishing` on
    metrics_bytes: int | None = None
    dropped_log_bytes: int = 0  # written by the payload beyond the limit: a counted gap
    outputs: list[FileRef] = []  # with `succeeded`: everything under DATAHALL_OUTPUTS
    service: Service | None = None  # with `running`, of workloads that serve


class DeviceReport(Message, tag="device"):
    """Something is wrong with a device (agent 0.1.0). In one sequence with ``WorkloadReport``."""

    seq: int
    at: float
    kind: str  # of `faults.FaultKind`; there may be newer ones
    device: str = ""  # its UUID; "": whatever devices the node has
    xid: int | None = None
    workloads: list[UUID] = []  # what had it at that moment


Report = WorkloadReport | DeviceReport


class LogChunk(Message, tag="log"):
    """Bytes of a workload's output at an offset; a repeat is harmless."""

    workload: UUID
    fence: int
    offset: int
    at: float
    data: bytes


class Point(msgspec.Struct, array_like=True, frozen=True):
    name: str
    step: int
    value: float  # NaN and infinities travel as they are
    at: float


class MetricBatch(Message, tag="metrics"):
    """Metric points read from [offset, end) of the workload's metrics file."""

    workload: UUID
    fence: int
    offset: int
    end: int
    points: list[Point]
    unreadable_lines: int = 0


class DeviceProcess(Message):
    """A process that uses a device."""

    device: str  # its UUID
    pid: int
    memory_used_bytes: int | None = None  # of the device; None where the driver does not tell
    kind: str = "compute"  # or "graphics"
    name: str = ""
    workload: UUID | None = None  # None: a stranger's, none of ours


class Live(Message, tag="live"):
    """One second of readings for whoever is watching; newest wins, never stored."""

    at: float
    host: dict[str, float | None]
    devices: dict[str, dict[str, float | None]] = {}  # by device UUID
    processes: list[DeviceProcess] = []  # on devices, as of a few seconds ago (agent 0.1.0)


class Block(Message, tag="block"):
    """Ten seconds of readings of one host, packed by ``blocks.pack``; stored unopened."""

    seq: int
    start: float
    data: bytes


# --- down: to the node ---------------------------------------------------------------------------


class Welcome(Message, tag="welcome"):
    """Answer to the hello."""

    server_time: float
    protocol_version: int
    reports_through: int  # highest sequence already stored
    blocks_through: int


class Offset(Message):
    workload: UUID
    offset: int


class Ack(Message, tag="ack"):
    """What is durable now; the node may forget it."""

    reports_through: int | None = None
    blocks_through: int | None = None
    logs: list[Offset] = []
    metrics: list[Offset] = []
    refused: list[UUID] = []  # workloads whose fence is stale: stop sending for them


class Look(Message, tag="look"):
    """Something is wanted of this node: pull."""


def encode_frame(*messages: Message) -> bytes:
    """A frame of the given messages, each tagged by its type."""
    return msgspec.msgpack.encode(
        [Item(tag_of(type(m)), msgspec.Raw(msgspec.msgpack.encode(m))) for m in messages]
    )


def decode_frame(data: bytes) -> list[Item]:
    """The items of a frame, bodies unread; raises ``msgspec.DecodeError``."""
    return _decode(data, list[Item])


def decode_body(item: Item, kind: type[T]) -> T:
    """An item's body, once its tag says what it is; raises ``msgspec.DecodeError``."""
    return _decode(item.body, kind)


def _decode(data: bytes | msgspec.Raw, kind: type[A]) -> A:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec lets these two through
        raise msgspec.DecodeError(str(error)) from error


def tag_of(kind: type[Message]) -> str:
    return str(kind.__struct_config__.tag)


def utc(seconds: float) -> datetime:
    """Wire times are Unix seconds; Python's are aware datetimes."""

    return datetime.fromtimestamp(seconds, UTC)
