"""Start approval: who may start a workload, and what it gets to do so."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from agents.protocol.base import Reason
from agents.protocol.rest import (
    GangPlace,
    StartAnswer,
    StartRequest,
    Ticket,
)
from agents.protocol.specs import (
    REPLICA_BEARER,
    FileRef,
    ScriptSpec,
    ServeSpec,
    WorkloadSpec,
    decode_spec,
)
from agents.protocol.workloads import WorkloadState
from apps.accounts import services as accounts
from apps.artifacts import tickets
from apps.common.errors import DomainError
from apps.workloads import bearers, selectors
from apps.workloads.models import Gang, Workload
from apps.workloads.services import moves

RUN_TOKEN_LIFETIME = timedelta(days=30)  # revoked when the run ends; this is only the outer bound


class StartRequestRefused(DomainError):
    """What a node says with its wish to start cannot be true."""

    status = 422


@transaction.atomic
def approve_start(
    *, workload_id: UUID, node_id: UUID, request: StartRequest, at: datetime
) -> StartAnswer:
    """Answer a node that wants to start a workload: wait, no, or yes with all it needs.

    Whoever asks first with a nonce is the only one that ever gets yes, as often as it asks. In a
    gang of several nobody gets yes until all have asked.
    """
    _check_request(request)
    gang, workloads = moves.lock_of(workload_id)
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
            moves.move(gang, workload, WorkloadState.STARTING, at=at)
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
        run_token=_run_token(gang, at=at),
        project=gang.project.slug,
        secrets=_secrets(gang, workload, spec),
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


def _run_token(gang: Gang, *, at: datetime) -> str:
    """A run may speak to the API; a replica only answers, and has no business there."""
    if gang.owner_kind != "run":
        return ""
    return accounts.create_run_token(
        run_id=gang.owner_id,
        project_id=gang.project_id,
        expires_at=at + RUN_TOKEN_LIFETIME,
        at=at,
    )


def _secrets(gang: Gang, workload: Workload, spec: WorkloadSpec) -> dict[str, str]:
    if isinstance(spec.payload, ServeSpec):
        return {REPLICA_BEARER: bearers.bearer_of(workload.id, gang.fence)}
    return {}


def _files(spec: WorkloadSpec) -> list[FileRef]:
    files = [file for item in spec.inputs for file in item.files]
    if isinstance(spec.payload, ScriptSpec):
        files.append(spec.payload.code)
    return files


def _no(code: str) -> StartAnswer:
    return StartAnswer(answer="no", reason=Reason(code=code))
