"""Everything that changes a gang or a workload. Read docs/subsystems/workloads.md first.

Rows are locked in one order everywhere: the gang, its workloads by rank, then nodes.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from agents.protocol.base import Reason, Resources
from agents.protocol.link import RunningWorkload, WorkloadReport
from agents.protocol.rest import (
    GangPlace,
    OutputAnswer,
    OutputRequest,
    StartAnswer,
    StartRequest,
    Ticket,
)
from agents.protocol.specs import (
    FileRef,
    ScriptSpec,
    WorkloadSpec,
    decode_spec,
    encode_spec,
    sha256_of,
)
from agents.protocol.workloads import FINAL, HOLDING, Cause, WorkloadState
from apps.accounts import services as accounts
from apps.artifacts import selectors as held
from apps.artifacts import services as artifacts
from apps.artifacts import storage, tickets
from apps.common import reasons
from apps.common.actors import Actor
from apps.common.errors import DomainError
from apps.common.events import publish
from apps.common.guards import guard_deletion
from apps.common.jsonb import storable
from apps.fleet import dispatch
from apps.fleet import services as fleet
from apps.fleet.models import Contact, Device, Node
from apps.projects.models import Project
from apps.telemetry import timing
from apps.workloads import lifecycle, placement, selectors
from apps.workloads.events import GangQueued, GangWaits, RoomFreed, WorkloadMoved
from apps.workloads.models import Gang, Lease, Workload, WorkloadEvent

log = logging.getLogger(__name__)

RUN_TOKEN_LIFETIME = timedelta(days=30)  # revoked when the run ends; this is only the outer bound
MISSED_HEARTBEATS = 6  # a minute of them: a report that is still on its way has long arrived
MOST_STRANGERS = 100  # ordered to stop by one heartbeat; the next one sees to the rest
# of what is remembered of one workload: a queue that changes its mind, or a node that comes and
# goes, must not fill the table; reasons to wait leave room for moves, and the end is always kept
MOST_WAITS, MOST_EVENTS = 60, 200
INTEGER, BIG_INTEGER = 2**31 - 1, 2**63 - 1  # the largest that columns hold
# a node lists what it was given leave to start until the last report of it is acknowledged
LISTED = (
    WorkloadState.STARTING,
    WorkloadState.RUNNING,
    WorkloadState.STOPPING,
    WorkloadState.FINISHING,
)


class DemandTooLarge(DomainError):
    """No node could ever hold this, even empty. The parameters say the largest that fits."""

    status = 422

    def __init__(self, reason: Reason) -> None:
        super().__init__(**reason.params)
        self.code = reason.code  # type: ignore[misc]  # one class, one code for each resource


class StaleFence(DomainError):
    """The node speaks of a workload that is not, or no longer, its own."""


class StartRequestRefused(DomainError):
    """What a node says with its wish to start cannot be true."""

    status = 422


class OutputNotThere(DomainError):
    """Not every byte of the output is here yet: the node is to offer it again."""

    status = 503


class PlacedElsewhere(DomainError):
    """The gang, or the room meant for it, has changed since the snapshot was taken."""


# --- asking for room -----------------------------------------------------------------------------


@transaction.atomic
def request_gang(
    *,
    project: Project,
    owner_kind: str,
    owner_id: UUID,
    resources: Resources,
    specs: Sequence[WorkloadSpec],
    priority: int,
    at: datetime,
) -> Gang:
    """Queue workloads to be placed together, one for each spec; refuse what could never fit."""
    nodes = selectors.capacities()
    if refusal := placement.refuse(resources, len(specs), nodes):
        raise DemandTooLarge(refusal)
    gang = Gang.objects.create(
        project=project,
        fence=_next_fence(),
        owner_kind=owner_kind,
        owner_id=owner_id,
        priority=priority,
        size=len(specs),
        cpu_millis=resources.cpu_millis,
        memory_bytes=resources.memory_bytes,
        device_count=resources.device_count,
        device_kind=resources.device_kind,
        device_memory_bytes=resources.device_memory_bytes,
        waiting_reason=None if nodes else reasons.to_row(Reason(code="no_nodes")),
    )
    bodies = [encode_spec(spec) for spec in specs]
    workloads = Workload.objects.bulk_create(
        Workload(gang=gang, rank=rank, spec=body, spec_sha256=sha256_of(body))
        for rank, body in enumerate(bodies)
    )
    if gang.waiting_reason:
        _note(
            workloads[0].id,
            WorkloadState.PENDING,
            at=at,
            reason=gang.waiting_reason,
            most=MOST_WAITS,
        )
    publish(GangQueued(gang_id=gang.id))
    return gang


# --- the scheduler's decisions -------------------------------------------------------------------


@transaction.atomic
def assign(*, gang_id: UUID, places: Sequence[placement.Place], at: datetime) -> None:
    """Give a waiting gang its places and order the start; all of it, or raise and change nothing.

    ``PlacedElsewhere``, ``fleet.NoRoom`` or a taken device mean that the snapshot was too old.
    """
    gang, workloads = _lock(gang_id)
    if gang.ended_at or gang.placed_at:
        raise PlacedElsewhere
    ready = Node.objects.filter(
        id__in=[place.node_id for place in places],
        contact=Contact.FRESH,
        cordoned_at=None,
        removed_at=None,
    )
    nodes = {node.id: node for node in ready}
    resources = selectors.resources_of(gang)
    gang.placed_at, gang.waiting_reason = at, None
    gang.save(update_fields=["placed_at", "waiting_reason"])
    for place, workload in zip(places, workloads, strict=True):
        node = nodes.get(place.node_id)
        if node is None:
            raise PlacedElsewhere
        fleet.reserve(node_id=node.id, resources=resources)
        usable = Device.objects.filter(
            id__in=place.device_ids, node=node, present=True, healthy=True
        ).exclude(leases__in=Lease.objects.filter(ended_at=None))
        if usable.count() != len(place.device_ids):
            raise PlacedElsewhere
        Lease.objects.bulk_create(
            Lease(workload=workload, device_id=device) for device in place.device_ids
        )
        _move(gang, workload, WorkloadState.ASSIGNED, at=at, node=node, assigned_at=at)
        dispatch.send_start(
            node=node,
            gang_id=gang.id,
            workload_id=workload.id,
            fence=gang.fence,
            spec_sha256=workload.spec_sha256,
        )


@transaction.atomic
def explain_waiting(*, why: dict[UUID, Reason], at: datetime) -> None:
    """Write down why gangs wait, where that has changed; say so where the code has."""
    waiting = Gang.objects.waiting().filter(id__in=why).order_by("id")
    changed, told = [], []
    for gang in waiting.select_for_update(skip_locked=True):  # whoever holds one is changing it
        old, new = gang.waiting_reason, reasons.to_row(why[gang.id])
        if old == new:
            continue
        gang.waiting_reason = new
        changed.append(gang)
        if old is None or old["code"] != new["code"]:
            told.append(gang)
            publish(
                GangWaits(
                    gang_id=gang.id,
                    owner_kind=gang.owner_kind,
                    owner_id=gang.owner_id,
                    project_id=gang.project_id,
                )
            )
    Gang.objects.bulk_update(changed, ["waiting_reason"], batch_size=500)
    reasons_of = {gang.id: gang.waiting_reason for gang in told}
    faces = Workload.objects.filter(gang__in=told, rank=0).values_list("id", "gang_id")
    for workload_id, gang_id in faces:
        _note(
            workload_id,
            WorkloadState.PENDING,
            at=at,
            reason=reasons_of[gang_id],
            most=MOST_WAITS,
        )


@transaction.atomic
def take_back(*, gang_id: UUID, at: datetime) -> bool:
    """Queue a gang again that was placed and never started; its new fence voids the old orders."""
    gang, workloads = _lock(gang_id)
    if gang.ended_at or any(w.state != WorkloadState.ASSIGNED for w in workloads):
        return False
    for workload in workloads:
        dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at)
        _move(
            gang,
            workload,
            WorkloadState.PENDING,
            at=at,
            node=None,
            assigned_at=None,
            start_nonce="",
            fabric_address="",
            port=None,
        )
    gang.fence, gang.placed_at = _next_fence(), None
    gang.save(update_fields=["fence", "placed_at"])
    publish(GangQueued(gang_id=gang.id))
    return True


@transaction.atomic
def give_up_start(*, gang_id: UUID, at: datetime) -> None:
    """End a gang of which some have asked to start and others do not come."""
    gang, workloads = _lock(gang_id)
    late = [w for w in workloads if w.state == WorkloadState.ASSIGNED]
    late.sort(key=lambda workload: bool(workload.start_nonce))  # who has not even asked first
    if gang.ended_at or not late:
        return
    _end(
        gang,
        late[0],
        WorkloadState.FAILED,
        at=at,
        reason=Reason(code="gang_incomplete", params={"node": _node_name(late[0])}),
        cause=Cause.ENVIRONMENT,
    )
    _after_move(gang, workloads, at=at)


# --- stopping ------------------------------------------------------------------------------------


@transaction.atomic
def stop_gang(
    *, gang_id: UUID, actor: Actor, at: datetime, grace_seconds: float | None = None
) -> None:
    """Ask a gang to end. What has not started ends at once; what has over is left as it is.

    The owner's service writes the audit entry: somebody stops a job, not its gang.
    """
    gang, workloads = _lock(gang_id)
    reason = Reason(code="stopped_by", params={"name": actor.name})
    for workload in workloads:
        _ask_to_stop(gang, workload, at=at, reason=reason, grace_seconds=grace_seconds)
    _after_move(gang, workloads, at=at)


def _ask_to_stop(
    gang: Gang,
    workload: Workload,
    *,
    at: datetime,
    reason: Reason,
    grace_seconds: float | None = None,
) -> None:
    match WorkloadState(workload.state):
        case WorkloadState.PENDING:
            _end(gang, workload, WorkloadState.STOPPED, at=at, reason=reason, cause=Cause.STOPPED)
        case WorkloadState.ASSIGNED:  # it was not approved, and is not going to be
            _move(gang, workload, WorkloadState.STOPPING, at=at)
            _end(gang, workload, WorkloadState.STOPPED, at=at, reason=reason, cause=Cause.STOPPED)
        case WorkloadState.STARTING | WorkloadState.RUNNING:
            _send_stop(gang, workload, grace_seconds)
            _move(gang, workload, WorkloadState.STOPPING, at=at, reason=reason)
        case WorkloadState.STOPPING | WorkloadState.FINISHING:  # again, perhaps with less patience
            _send_stop(gang, workload, grace_seconds)


def _send_stop(gang: Gang, workload: Workload, grace_seconds: float | None) -> None:
    assert workload.node is not None
    if grace_seconds is None:
        grace_seconds = decode_spec(bytes(workload.spec)).grace_seconds
    dispatch.send_stop(
        node=workload.node,
        gang_id=gang.id,
        workload_id=workload.id,
        fence=gang.fence,
        grace_seconds=grace_seconds,
    )


# --- start approval ------------------------------------------------------------------------------


@transaction.atomic
def approve_start(
    *, workload_id: UUID, node_id: UUID, request: StartRequest, at: datetime
) -> StartAnswer:
    """Answer a node that wants to start a workload: wait, no, or yes with all it needs.

    Whoever asks first with a nonce is the only one that ever gets yes, as often as it asks. In a
    gang of several nobody gets yes until all have asked.
    """
    _check_request(request)
    gang, workloads = _lock_of(workload_id)
    workload = next((w for w in workloads if w.id == workload_id), None)
    if gang is None or workload is None or workload.node_id != node_id:
        return _no("start_not_yours")
    if request.fence != gang.fence:
        return _no("start_stale")
    if workload.start_nonce and workload.start_nonce != request.nonce:
        return _no("start_already_approved")
    match WorkloadState(workload.state):
        case WorkloadState.ASSIGNED:
            if not workload.start_nonce:
                _ask(workload, request)
            if not all(w.start_nonce for w in workloads):
                return StartAnswer(
                    answer="wait",
                    reason=Reason(
                        code="waits_for_gang",
                        params={
                            "asked": sum(bool(w.start_nonce) for w in workloads),
                            "size": gang.size,
                        },
                    ),
                )
            _move(gang, workload, WorkloadState.STARTING, at=at)
        case WorkloadState.STARTING:
            pass  # the answer was lost on its way
        case WorkloadState.RUNNING:
            return _no("start_already_approved")
        case _:
            return _no("start_over")
    return _yes(gang, workload, workloads, at=at)


def _check_request(request: StartRequest) -> None:
    if not 0 < len(request.nonce) <= 64:
        raise StartRequestRefused(field="nonce")
    if len(request.fabric_address) > 255:
        raise StartRequestRefused(field="fabric_address")
    if not 0 <= (request.port or 0) < 2**16:
        raise StartRequestRefused(field="port")


def _ask(workload: Workload, request: StartRequest) -> None:
    workload.start_nonce = request.nonce
    workload.fabric_address = request.fabric_address
    workload.port = request.port
    workload.save(update_fields=["start_nonce", "fabric_address", "port"])


def _yes(
    gang: Gang, workload: Workload, workloads: Sequence[Workload], *, at: datetime
) -> StartAnswer:
    assert workload.node_id is not None
    spec = decode_spec(bytes(workload.spec))
    first = workloads[0]
    return StartAnswer(
        answer="yes",
        run_token=accounts.create_run_token(
            run_id=gang.owner_id,
            project_id=gang.project_id,
            expires_at=at + RUN_TOKEN_LIFETIME,
            at=at,
        ),
        project=gang.project.slug,
        tickets=[
            Ticket(
                digest=file.digest,
                size=file.size,
                url=tickets.download_url(
                    digest=file.digest, size=file.size, holder=workload.node_id
                ),
            )
            for file in {file.digest: file for file in _files(spec)}.values()
        ],
        gang=GangPlace(
            rank=workload.rank,
            world_size=gang.size,
            master_addr=(first.fabric_address if gang.size > 1 else "") or "127.0.0.1",
            master_port=first.port or 0,
        ),
        devices=selectors.leased_devices(workload.id),
    )


def _files(spec: WorkloadSpec) -> list[FileRef]:
    files = [file for item in spec.inputs for file in item.files]
    if isinstance(spec.payload, ScriptSpec):
        files.append(spec.payload.code)
    return files


def _no(code: str) -> StartAnswer:
    return StartAnswer(answer="no", reason=Reason(code=code))


# --- what nodes tell -----------------------------------------------------------------------------


def apply_report(*, node_id: UUID, report: WorkloadReport, at: datetime) -> None:
    """Take a node's word for a workload's state. Repeated and late reports change nothing.

    Raises ``StaleFence`` when the workload is not, or no longer, this node's.
    """
    try:
        _apply_report(node_id, report, at)
    except StaleFence:
        if report.state.is_final and _is_outdated(report.workload, report.fence):
            # the order to stop what was taken back has been obeyed
            dispatch.settle(workload_id=report.workload, fence=report.fence, at=at, node_id=node_id)
        raise


@transaction.atomic
def _apply_report(node_id: UUID, report: WorkloadReport, at: datetime) -> None:
    gang, workloads = _lock_of(report.workload)
    workload = next((w for w in workloads if w.id == report.workload), None)
    if (
        gang is None
        or workload is None
        or workload.node_id != node_id
        or gang.fence != report.fence
    ):
        raise StaleFence(workload=str(report.workload))
    road = lifecycle.road(WorkloadState(workload.state), report.state)
    if not road:
        if workload.ended_at and report.state.is_final:  # stopped again after it was given up
            dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at)
        return
    *between, last = road
    happened = _happened(workload, report, at)
    for state in between:
        _move(gang, workload, state, at=happened)
    facts = _facts(report)
    if last.is_final:
        _end(
            gang,
            workload,
            last,
            at=happened,
            reason=_why_it_ended(workload, last, report),
            cause=report.cause or (Cause.STOPPED if last is WorkloadState.STOPPED else None),
            **facts,
        )
    else:
        _move(gang, workload, last, at=happened, reason=report.reason, **facts)
    _after_move(gang, workloads, at=at)


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
        return Reason(code="stopped_on_node", params={"node": _node_name(workload)})
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
    gang, workloads = _lock_of(workload_id)
    workload = next((w for w in workloads if w.id == workload_id), None)
    if (
        gang is None
        or workload is None
        or workload.node_id != node_id
        or workload.state not in LISTED
        or workload.missed_heartbeats <= MISSED_HEARTBEATS
    ):
        return
    _end(
        gang,
        workload,
        WorkloadState.LOST,
        at=at,
        reason=Reason(code="node_forgot_workload", params={"node": _node_name(workload)}),
        cause=Cause.ENVIRONMENT,
    )
    _after_move(gang, workloads, at=at)


# --- outputs -------------------------------------------------------------------------------------


@transaction.atomic
def request_output(
    *, workload_id: UUID, node_id: UUID, request: OutputRequest, at: datetime
) -> OutputAnswer:
    """Where a node may send an output's bytes to, unless the project has them already."""
    project = _project_of_live(workload_id, node_id, request.fence)
    upload = held.upload_under_way(
        project, holder=node_id, digest=request.digest, size=request.size, at=at
    ) or artifacts.start_upload(
        project=project,
        holder=node_id,
        filename="",
        size=request.size,
        digest=request.digest,
        at=at,
    )
    if upload.finished_at:
        return OutputAnswer(stored=True)
    return OutputAnswer(stored=False, upload_url=tickets.upload_url(upload=upload))


@transaction.atomic
def finish_output(
    *, workload_id: UUID, node_id: UUID, digest: str, fence: int, at: datetime
) -> None:
    """Give the project an output whose bytes have all been sent; a repeat does nothing."""
    project = _project_of_live(workload_id, node_id, fence)
    if held.artifact(project, digest):
        return
    uploads = held.uploads_in(project).filter(holder=node_id, digest=digest)
    upload = uploads.order_by("-created_at").first()
    if upload is None:
        raise OutputNotThere
    try:
        artifacts.finish_upload(upload_id=upload.id, at=at)
    except (storage.UploadIncomplete, storage.UploadBusy) as refusal:
        raise OutputNotThere from refusal


def _project_of_live(workload_id: UUID, node_id: UUID, fence: int) -> Project:
    workload = (
        Workload.objects.filter(id=workload_id, node_id=node_id, gang__fence=fence)
        .exclude(state__in=[state.value for state in FINAL])
        .select_related("gang__project")
        .first()
    )
    if workload is None:
        raise StaleFence(workload=str(workload_id))
    return workload.gang.project


# --- leaving -------------------------------------------------------------------------------------


@guard_deletion(Node)
def keep_while_needed(node: Node) -> None:
    """A node that still has something to send keeps its place: it holds no room any more."""
    if Workload.objects.filter(node=node, ended_at=None).exists():
        raise fleet.NodeBusy(name=node.name)


# --- shared by all writers -----------------------------------------------------------------------


def _lock(gang_id: UUID) -> tuple[Gang, list[Workload]]:
    gang = Gang.objects.select_for_update(of=("self",)).select_related("project").get(pk=gang_id)
    workloads = (
        Workload.objects.select_for_update(of=("self",))
        .filter(gang=gang)
        .select_related("node")
        .order_by("rank")
    )
    return gang, list(workloads)


def _lock_of(workload_id: UUID) -> tuple[Gang | None, list[Workload]]:
    gang_id = Workload.objects.filter(pk=workload_id).values_list("gang_id", flat=True).first()
    return (None, []) if gang_id is None else _lock(gang_id)


def _move(
    gang: Gang,
    workload: Workload,
    state: WorkloadState,
    *,
    at: datetime,
    reason: Reason | None = None,
    **facts: Any,
) -> None:
    """Take one edge: compare and set, give room back when the process is gone, say so."""
    before = WorkloadState(workload.state)
    if not before.may_become(state):
        raise ValueError(f"{before} may not become {state}")
    if state is WorkloadState.RUNNING:
        facts.setdefault("started_at", at)
    if reason is not None:
        facts["reason"] = reasons.to_row(reason)
    elif state is WorkloadState.SUCCEEDED:
        facts["reason"] = None  # it was asked to stop, perhaps, and was done before
    if before.holds_room and not state.holds_room:
        _release(gang, workload, at=at)
    moved = Workload.objects.filter(pk=workload.pk, state=before.value).update(
        state=state.value, **facts
    )
    if moved != 1:
        raise RuntimeError(f"workload {workload.pk} moved under our lock")
    workload.state = state.value
    for name, value in facts.items():
        setattr(workload, name, value)
    _note(
        workload.id,
        state,
        at=at,
        node_id=workload.node_id,
        reason=facts.get("reason"),
        most=None if state.is_final else MOST_EVENTS,
    )
    if before is WorkloadState.STARTING:  # the order to start has been obeyed, or is void
        dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at, op="start")
    publish(
        WorkloadMoved(
            workload_id=workload.id,
            gang_id=gang.id,
            owner_kind=gang.owner_kind,
            owner_id=gang.owner_id,
            project_id=gang.project_id,
            state=state,
        )
    )


def _note(
    workload_id: UUID,
    state: WorkloadState,
    *,
    at: datetime,
    node_id: UUID | None = None,
    reason: dict[str, Any] | None = None,
    most: int | None,
) -> None:
    """Remember what became of a workload, unless ``most`` things are remembered of it already."""
    events = WorkloadEvent.objects.filter(workload_id=workload_id)
    if most is None or events.count() < most:
        WorkloadEvent.objects.create(
            workload_id=workload_id, at=at, state=state.value, node_id=node_id, reason=reason
        )


def _end(
    gang: Gang,
    workload: Workload,
    state: WorkloadState,
    *,
    at: datetime,
    reason: Reason | None,
    cause: Cause | None,
    **facts: Any,
) -> None:
    """Take a last edge: nothing is wanted of the node any more."""
    _move(
        gang,
        workload,
        state,
        at=at,
        reason=reason,
        ended_at=at,
        cause=cause.value if cause else "",
        **facts,
    )
    dispatch.settle(workload_id=workload.id, fence=gang.fence, at=at)


def _after_move(gang: Gang, workloads: Sequence[Workload], *, at: datetime) -> None:
    """One that ended without success takes the others with it; with the last, the gang ends."""
    spoiled = [w for w in workloads if w.ended_at and w.state != WorkloadState.SUCCEEDED]
    if spoiled and gang.size > 1:
        reason = Reason(code="gang_member_ended", params={"rank": spoiled[0].rank})
        for workload in workloads:
            if WorkloadState(workload.state) not in {
                *FINAL,
                WorkloadState.STOPPING,
                WorkloadState.FINISHING,
            }:
                _ask_to_stop(gang, workload, at=at, reason=reason)
    if gang.ended_at is None and all(w.ended_at for w in workloads):
        gang.ended_at = at
        gang.save(update_fields=["ended_at"])


def _release(gang: Gang, workload: Workload, *, at: datetime) -> None:
    """Give CPU, memory and devices back. Called on the one edge that leaves the holding states."""
    assert workload.node_id is not None
    fleet.release(node_id=workload.node_id, resources=selectors.resources_of(gang))
    Lease.objects.filter(workload=workload, ended_at=None).update(ended_at=at)
    publish(RoomFreed(node_id=workload.node_id))


def _node_name(workload: Workload) -> str:
    return workload.node.name if workload.node else ""


def _next_fence() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('workloads_fence')")
        (fence,) = cursor.fetchone()
    return int(fence)
