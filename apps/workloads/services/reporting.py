"""What nodes tell of their workloads: reports, and the list in a heartbeat."""

import logging
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from agents.protocol.base import Reason
from agents.protocol.link import RunningWorkload, Service, WorkloadReport
from agents.protocol.workloads import FINAL, HOLDING, Cause, WorkloadState
from apps.common import reasons
from apps.common.jsonb import storable
from apps.fleet import dispatch
from apps.fleet.models import Node
from apps.telemetry import timing
from apps.workloads import lifecycle, selectors
from apps.workloads.models import Gang, Workload
from apps.workloads.services import moves, restoring, stopping

log = logging.getLogger(__name__)

MISSED_HEARTBEATS = 6  # a minute of them: a report that is still on its way has long arrived
MOST_STRANGERS = 100  # ordered to stop by one heartbeat; the next one sees to the rest
INTEGER, BIG_INTEGER = 2**31 - 1, 2**63 - 1  # the largest that columns hold
MAX_CERTIFICATE_BYTES = 8 * 1024
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}")  # a name, an IPv6
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*"
)
UNAPPROVED = (WorkloadState.PENDING, WorkloadState.ASSIGNED)
# a node lists what it was given leave to start until the last report of it is acknowledged
LISTED = (
    WorkloadState.STARTING,
    WorkloadState.RUNNING,
    WorkloadState.STOPPING,
    WorkloadState.FINISHING,
)


def apply_report(*, node_id: UUID, report: WorkloadReport, at: datetime) -> None:
    """Take a node's word for a workload's state. Repeated and late reports change nothing.

    Raises ``StaleFence`` when the workload is not, or no longer, this node's.
    """
    try:
        _apply_report(node_id, report, at)
    except moves.StaleFence:
        if report.state.is_final and _is_outdated(report.workload, report.fence):
            # the order to stop what was taken back has been obeyed
            dispatch.settle(workload_id=report.workload, fence=report.fence, at=at, node_id=node_id)
        raise


@transaction.atomic
def _apply_report(node_id: UUID, report: WorkloadReport, at: datetime) -> None:
    gang, workloads = moves.lock_of(report.workload)
    workload = next((w for w in workloads if w.id == report.workload), None)
    if gang is None or workload is None:
        if restoring.take_orphans_report(node_id=node_id, report=report, at=at):
            return
    elif gang.fence == report.fence and workload.state in UNAPPROVED:
        restoring.adopt(gang, workload, node_id=node_id, at=at)
    if (
        gang is None
        or workload is None
        or workload.node_id != node_id
        or gang.fence != report.fence
    ):
        raise moves.StaleFence(workload=str(report.workload))
    road = lifecycle.road(WorkloadState(workload.state), report.state)
    if not road:
        if workload.ended_at and report.state.is_final:  # stopped again after it was given up
            dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at)
        elif report.service and report.state == workload.state == WorkloadState.RUNNING:
            _learn_service(gang, workload, report)  # it is warm now
        return
    *between, last = road
    happened = _happened(workload, report, at)
    for state in between:
        moves.move(gang, workload, state, at=happened)
    facts = _facts(report)
    told = report.reason
    if report.service and last is WorkloadState.RUNNING:
        facts["service"], refusal = _service(report.service)
        told = refusal or told
    if last.is_final:
        moves.end(
            gang,
            workload,
            last,
            at=happened,
            reason=_why_it_ended(workload, last, report),
            cause=report.cause or (Cause.STOPPED if last is WorkloadState.STOPPED else None),
            **facts,
        )
    else:
        moves.move(gang, workload, last, at=happened, reason=told, **facts)
    stopping.after_move(gang, workloads, at=at)


def _is_outdated(workload_id: UUID, fence: int) -> bool:
    """Whether a fence was this workload's once, before it was taken back."""
    return Workload.objects.filter(pk=workload_id, gang__fence__gt=fence).exists()


def _happened(workload: Workload, report: WorkloadReport, at: datetime) -> datetime:
    """The node's time in the server's, never before what the server itself has seen."""
    assert workload.node is not None
    skew = workload.node.clock_offset_ms / 1000
    told = timing.server_time(report.at, skew=skew, now=at) or at
    earliest = workload.started_at or workload.assigned_at or at
    return min(at, max(told, earliest))


def _why_it_ended(
    workload: Workload, state: WorkloadState, report: WorkloadReport
) -> Reason | None:
    """The reason of an end. Who asked for a stop is known here; all else the node knows better."""
    if state is WorkloadState.STOPPED and workload.reason:
        return None  # it stays
    if report.reason or state is WorkloadState.SUCCEEDED:
        return report.reason
    if state is WorkloadState.STOPPED:
        return Reason(code="stopped_on_node", params={"node": moves.node_name(workload)})
    match report.exit_code:
        case None:
            return Reason(code="ended_without_reason")
        case int(code) if code < 0:
            return Reason(code="ended_by_signal", params={"signal": -code})
        case code:
            return Reason(code="ended_with_exit_code", params={"exit_code": code})


def _facts(report: WorkloadReport) -> dict[str, Any]:
    """What a report adds to the row; what it leaves out stays."""
    facts: dict[str, Any] = {}
    if report.exit_code is not None:
        facts["exit_code"] = max(-INTEGER - 1, min(report.exit_code, INTEGER))
    for name in ("log_bytes", "metrics_bytes"):
        if (value := getattr(report, name)) is not None:
            facts[name] = _count(value)
    if report.dropped_log_bytes:
        facts["dropped_log_bytes"] = _count(report.dropped_log_bytes)
    if report.state is WorkloadState.SUCCEEDED:
        facts["outputs"] = [
            {"path": storable(file.path), "digest": storable(file.digest), "size": file.size}
            for file in report.outputs
        ]
    return facts


def _learn_service(gang: Gang, workload: Workload, report: WorkloadReport) -> None:
    """Keep where a running workload is reached, and say so if that is news."""
    assert report.service
    service, refusal = _service(report.service)
    reason = reasons.to_row(refusal) if refusal else None
    if (service, reason) == (workload.service, workload.reason):
        return
    workload.service, workload.reason = service, reason
    workload.save(update_fields=["service", "reason"])
    moves.say_moved(gang, workload)


def _service(told: Service) -> tuple[dict[str, Any] | None, Reason | None]:
    """A node's word for where a workload is reached as the row keeps it, or why it cannot be."""
    for field, good in (
        ("host", _HOST.fullmatch(told.host)),
        ("port", 0 < told.port < 2**16),
        (
            "certificate",
            len(told.certificate) <= MAX_CERTIFICATE_BYTES
            and _CERTIFICATE.fullmatch(told.certificate),
        ),
    ):
        if not good:
            return None, Reason(code="service_refused", params={"field": field})
    return {"host": told.host, "port": told.port, "certificate": told.certificate}, None


def _count(value: int) -> int:
    """A node's number, within what a column holds."""
    return max(0, min(value, BIG_INTEGER))


def reconcile(*, node_id: UUID, running: Sequence[RunningWorkload], at: datetime) -> None:
    """Settle the differences between what a node says it runs and what it is to run.

    What it should not run is stopped again; what it has forgotten for a minute is lost.
    """
    listed = {item.workload: item for item in running}
    _stop_strangers(node_id, listed)
    ours = Workload.objects.filter(node_id=node_id, ended_at=None)
    ours.filter(id__in=listed, missed_heartbeats__gt=0).update(missed_heartbeats=0)
    missing = ours.filter(state__in=[state.value for state in LISTED]).exclude(id__in=listed)
    missing.update(missed_heartbeats=F("missed_heartbeats") + 1)
    for workload_id in missing.filter(missed_heartbeats__gt=MISSED_HEARTBEATS).values_list(
        "id", flat=True
    ):
        _lose(workload_id, node_id=node_id, at=at)


def _stop_strangers(node_id: UUID, listed: dict[UUID, RunningWorkload]) -> None:
    known = selectors.fences(listed)
    strangers = []
    for workload_id, item in listed.items():
        row = known.get(workload_id)
        if row is None:
            # not ours to end: after a restore from a backup the node may know more than we do
            log.warning("node %s runs workload %s, which nobody knows", node_id, workload_id)
        elif item.state in HOLDING and (
            row.node_id != node_id or row.fence != item.fence or row.state in FINAL
        ):
            strangers.append(item)
    if not strangers:
        return
    node = Node.objects.get(pk=node_id)
    gangs = dict(
        Workload.objects.filter(id__in=[item.workload for item in strangers]).values_list(
            "id", "gang_id"
        )
    )
    for item in strangers[:MOST_STRANGERS]:
        dispatch.send_stop(
            node=node,
            gang_id=gangs[item.workload],
            workload_id=item.workload,
            fence=item.fence,
            grace_seconds=0.0,
        )


@transaction.atomic
def _lose(workload_id: UUID, *, node_id: UUID, at: datetime) -> None:
    gang, workloads = moves.lock_of(workload_id)
    workload = next((w for w in workloads if w.id == workload_id), None)
    if (
        gang is None
        or workload is None
        or workload.node_id != node_id
        or workload.state not in LISTED
        or workload.missed_heartbeats <= MISSED_HEARTBEATS
    ):
        return
    moves.end(
        gang,
        workload,
        WorkloadState.LOST,
        at=at,
        reason=Reason(code="node_forgot_workload", params={"node": moves.node_name(workload)}),
        cause=Cause.ENVIRONMENT,
    )
    stopping.after_move(gang, workloads, at=at)
