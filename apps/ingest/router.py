"""From what nodes say to the services that take it. Called by the writer threads alone.

``write`` takes many frames at once. The bulk (logs, metric points, sample blocks) goes across nodes
in one transaction; what moves a workload has one of its own each, since it locks the workload's
gang and none is to wait for another's. Nothing may be acknowledged before ``write`` has returned.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from django.db import transaction

from agents.protocol.base import Message
from agents.protocol.link import (
    Ack,
    Block,
    DeviceReport,
    Heartbeat,
    Hello,
    LogChunk,
    MetricBatch,
    Offset,
    Welcome,
    WorkloadReport,
)
from apps.common.errors import DomainError
from apps.fleet import services as fleet
from apps.fleet.models import Node
from apps.telemetry import services as telemetry
from apps.telemetry.services import Sent, Stored
from apps.workloads import selectors as workloads_now
from apps.workloads import services as workloads
from apps.workloads.selectors import FenceRow

log = logging.getLogger(__name__)

refused: Counter[str] = Counter()  # of this process: why items were not taken


class Link(Protocol):
    """Where the answer to a frame goes. Its methods may be called from any thread."""

    node_id: UUID
    skew: float  # seconds the node's clock is ahead

    def answer(self, answer: "Answer") -> None: ...

    def fail(self) -> None:
        """What was sent is not stored and will not be: the node is to come again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame of one node."""

    link: Link
    items: Sequence[Message]
    size: int  # bytes


@dataclass(slots=True)
class Answer:
    """What is durable of one link's frames."""

    welcome: Welcome | None = None
    turned_away: str = ""  # a code: there will be no welcome
    reports_through: int | None = None
    blocks_through: int | None = None
    logs: dict[UUID, int] = field(default_factory=dict)
    metrics: dict[UUID, int] = field(default_factory=dict)
    refused: set[UUID] = field(default_factory=set)
    out_of_step: bool = False  # something sent does not begin where the stored ends

    def merge(self, later: "Answer") -> None:
        """What may be said in one acknowledgement instead of two."""
        self.welcome = later.welcome or self.welcome
        self.turned_away = later.turned_away or self.turned_away
        self.reports_through = _most(self.reports_through, later.reports_through)
        self.blocks_through = _most(self.blocks_through, later.blocks_through)
        self.logs |= later.logs
        self.metrics |= later.metrics
        self.refused |= later.refused
        self.out_of_step |= later.out_of_step

    def ack(self) -> Ack:
        return Ack(
            reports_through=self.reports_through,
            blocks_through=self.blocks_through,
            logs=[Offset(workload=id, offset=offset) for id, offset in self.logs.items()],
            metrics=[Offset(workload=id, offset=offset) for id, offset in self.metrics.items()],
            refused=list(self.refused),
        )


def write(entries: Sequence[Entry], *, at: datetime) -> dict[Link, Answer]:
    """Make everything in the frames durable, or raise; says what to answer to each link.

    To write the same frames again is harmless.
    """
    answers: dict[Link, Answer] = {entry.link: Answer() for entry in entries}
    for entry in entries:
        for item in entry.items:
            if isinstance(item, Hello):
                _greet(entry.link, item, answers[entry.link], at=at)
    for entry in entries:
        for item in entry.items:
            if isinstance(item, Heartbeat):  # before anything it says is judged
                workloads.meet(node_id=entry.link.node_id, running=item.running, at=at)
    fences = workloads_now.fences({id for entry in entries for id in _workloads_of(entry)})
    seen = _Seen({entry.link.node_id for entry in entries})
    _write_bulk(entries, answers, fences, seen, at=at)
    beating = {
        entry.link.node_id
        for entry in entries
        if any(isinstance(item, Heartbeat) for item in entry.items)
    }
    if beating:
        fleet.renew_contact(node_ids=beating, at=at)
    _write_states(entries, answers, seen, at=at)
    return answers


def skip(entry: Entry, *, at: datetime) -> Answer:
    """Give up a frame's only item, which alone cannot be written, so that the next ones can be."""
    answer = Answer()
    (item,) = entry.items
    refused[f"{type(item).__name__}.broken"] += 1
    node_id = entry.link.node_id
    match item:
        case LogChunk():
            _place(answer, answer.logs, item.workload, telemetry.skip(item=item, at=at))
        case MetricBatch():
            _place(answer, answer.metrics, item.workload, telemetry.skip(item=item, at=at))
        case Block():
            with transaction.atomic():
                telemetry.lose_block(node_id=node_id, at=at)
                fleet.raise_seen(node_id=node_id, blocks_through=item.seq)
            answer.blocks_through = item.seq
        case WorkloadReport() | DeviceReport():
            fleet.raise_seen(node_id=node_id, reports_through=item.seq)
            answer.reports_through = item.seq
        case Hello():
            answer.turned_away = "internal_error"
    return answer


# --- the beginning of a link ---------------------------------------------------------------------


def _greet(link: Link, hello: Hello, answer: Answer, *, at: datetime) -> None:
    try:
        answer.welcome = fleet.hello(node_id=link.node_id, hello=hello, at=at)
    except DomainError as refusal:
        log.warning("node %s is turned away: %s %s", link.node_id, refusal.code, refusal.params)
        answer.turned_away = refusal.code


# --- bulk ----------------------------------------------------------------------------------------


class _Seen:
    """The highest sequences stored of some nodes, as they rise."""

    def __init__(self, node_ids: set[UUID]) -> None:
        rows = list(
            Node.objects.filter(pk__in=node_ids).values_list(
                "pk", "reports_through", "blocks_through"
            )
        )
        self.reports = {id: reports for id, reports, _ in rows}
        self.blocks = {id: blocks for id, _, blocks in rows}


@transaction.atomic
def _write_bulk(
    entries: Sequence[Entry],
    answers: dict[Link, Answer],
    fences: dict[UUID, FenceRow],
    seen: _Seen,
    *,
    at: datetime,
) -> None:
    logs: list[tuple[Answer, Sent[LogChunk]]] = []
    metrics: list[tuple[Answer, Sent[MetricBatch]]] = []
    blocks: list[Sent[Block]] = []
    raised: dict[UUID, int] = {}
    for entry in entries:
        link, answer = entry.link, answers[entry.link]
        for item in entry.items:
            match item:
                case LogChunk() | MetricBatch() if not _is_its_own(link, item, fences):
                    answer.refused.add(item.workload)
                case LogChunk():
                    logs.append((answer, Sent(link.node_id, link.skew, item)))
                case MetricBatch():
                    metrics.append((answer, Sent(link.node_id, link.skew, item)))
                case Block():
                    if item.seq > seen.blocks.get(link.node_id, 0):
                        blocks.append(Sent(link.node_id, link.skew, item))
                        seen.blocks[link.node_id] = raised[link.node_id] = item.seq
                    answer.blocks_through = seen.blocks.get(link.node_id)
    if logs:
        stored = telemetry.append_logs(sent=[sent for _, sent in logs], at=at)
        for answer, chunk in logs:
            _place(answer, answer.logs, chunk.item.workload, stored[chunk.item.workload])
    if metrics:
        stored = telemetry.append_points(sent=[sent for _, sent in metrics], at=at)
        for answer, batch in metrics:
            _place(answer, answer.metrics, batch.item.workload, stored[batch.item.workload])
    if blocks:
        telemetry.record_blocks(sent=blocks, at=at)
    for node_id, through in sorted(
        raised.items()
    ):  # in one order: two batches never wait crosswise
        fleet.raise_seen(node_id=node_id, blocks_through=through)


def _place(answer: Answer, offsets: dict[UUID, int], workload: UUID, stored: Stored) -> None:
    offsets[workload] = stored.offset
    answer.out_of_step |= not stored.in_step


# --- states --------------------------------------------------------------------------------------


def _write_states(
    entries: Sequence[Entry], answers: dict[Link, Answer], seen: _Seen, *, at: datetime
) -> None:
    """Reports and lists of what runs, in the order each node sent them."""
    newest = {
        entry.link.node_id: item
        for entry in entries
        for item in entry.items
        if isinstance(item, Heartbeat)
    }
    for entry in entries:
        link, answer = entry.link, answers[entry.link]
        for item in entry.items:
            match item:
                case WorkloadReport() | DeviceReport():
                    if item.seq > seen.reports.get(link.node_id, 0):
                        _report(link, item, answer, at=at)
                        seen.reports[link.node_id] = item.seq
                    answer.reports_through = seen.reports.get(link.node_id)
                case Heartbeat() if item is newest[link.node_id]:
                    workloads.reconcile(node_id=link.node_id, running=item.running, at=at)


@transaction.atomic
def _report(
    link: Link, report: WorkloadReport | DeviceReport, answer: Answer, *, at: datetime
) -> None:
    """Exactly once: the report and the mark that it was seen are one transaction."""
    try:
        if isinstance(report, DeviceReport):
            fleet.apply_device_report(node_id=link.node_id, report=report, at=at)
        else:
            workloads.apply_report(node_id=link.node_id, report=report, at=at)
    except DomainError as refusal:
        refused[f"{type(report).__name__}.{refusal.code}"] += 1
        if isinstance(refusal, workloads.StaleFence) and isinstance(report, WorkloadReport):
            answer.refused.add(report.workload)
        else:
            log.warning("a report of node %s is refused: %s", link.node_id, refusal.code)
    fleet.raise_seen(node_id=link.node_id, reports_through=report.seq)


# --- shared --------------------------------------------------------------------------------------


def _workloads_of(entry: Entry) -> Iterable[UUID]:
    for item in entry.items:
        if isinstance(item, LogChunk | MetricBatch):
            yield item.workload


def _is_its_own(link: Link, item: LogChunk | MetricBatch, fences: dict[UUID, FenceRow]) -> bool:
    """Whether the workload is placed on this node, under this fence."""
    row = fences.get(item.workload)
    if row is not None and row.node_id == link.node_id and row.fence == item.fence:
        return True
    refused[f"{type(item).__name__}.stale_fence"] += 1
    return False


def _most(one: int | None, other: int | None) -> int | None:
    return max((n for n in (one, other) if n is not None), default=None)
