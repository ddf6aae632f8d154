"""What happened to a job and why: of the audit, its rows and its workloads' moves, one list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.protocol.base import Reason
from agents.protocol.workloads import WorkloadState
from apps.audit import selectors as audit
from apps.common import reasons
from apps.jobs.models import Job, Run, RunOutput, RunState
from apps.registry.models import Evaluation, ModelVersion
from apps.workloads import selectors as workloads
from apps.workloads.models import WorkloadEvent

S = WorkloadState


@dataclass(frozen=True)
class JobEvent:
    at: datetime
    what: Reason  # a code of the catalogue, and what its sentence needs
    actor: str | None = None
    run: int | None = None
    node: str | None = None
    reason: dict[str, Any] | None = None


def events_of(job: Job) -> list[JobEvent]:
    """Everything that is known to have happened to a job, oldest first."""
    runs = list(job.runs.order_by("number"))
    moves = workloads.events_of([run.gang_id for run in runs if run.gang_id])
    told: list[JobEvent] = []
    for run in runs:
        told += _of_run(run, moves.get(run.gang_id, []) if run.gang_id else [])
    # rows are written last; what followed from a wish has the wish's own time, and not before it
    first = min([job.created_at, *(event.at for event in told[:1])])
    told = [*_asked(job, submitted_at=first), *told]
    told += _made(runs)
    return sorted(told, key=lambda event: event.at)  # stable: of one moment, in this order


def _asked(job: Job, *, submitted_at: datetime) -> Iterator[JobEvent]:
    """What somebody asked for."""
    stopped_at = job.stop_asked_at
    for entry in audit.entries_about(job.id):
        at, by = entry.created_at, {"actor": entry.actor_name}
        match entry.action:
            case "job.submit":
                at, what = submitted_at, Reason(code="event_submitted", params=by)
            case "job.stop":
                what = Reason(code="event_stop_asked", params=by)
                at, stopped_at = stopped_at or at, None
            case _:
                continue
        yield JobEvent(at=at, what=what, actor=entry.actor_name)


def _of_run(run: Run, moves: Sequence[WorkloadEvent]) -> Iterator[JobEvent]:
    if run.number > 1:
        what = Reason(code="event_queued_again", params={"run": run.number})
        at = min([run.created_at, *(move.at for move in moves[:1])])
        yield JobEvent(at=at, what=what, run=run.number)
    before = S.PENDING
    for move in moves:
        state = S(move.state)
        node = move.node.name if move.node else None
        yield JobEvent(
            at=move.at,
            what=_moved(before, state, node or "", move.reason),
            run=run.number,
            node=node,
            reason=move.reason,
        )
        before = state
    if run.ended_at is not None and run.state == RunState.FAILED and before is S.SUCCEEDED:
        # the process did well, and what it left cannot be used
        what = Reason(code="event_results_unusable", params={"why": run.reason})
        yield JobEvent(at=run.ended_at, what=what, run=run.number, reason=run.reason)


def _moved(before: S, state: S, node: str, reason: dict[str, Any] | None) -> Reason:
    where = {"node": node}
    match state:
        case S.PENDING if before is S.PENDING and reason:
            return Reason(code="event_waits", params={"why": reason})
        case S.PENDING:
            return Reason(code="event_taken_back")
        case S.ASSIGNED:
            return Reason(code="event_placed", params=where)
        case S.STARTING:
            return Reason(code="event_starting", params=where)
        case S.RUNNING:
            return Reason(code="event_running", params=where)
        case S.STOPPING:
            return Reason(code="event_stopping", params=where)
        case S.FINISHING:
            return Reason(code="event_finishing", params=where)
        case S.SUCCEEDED:
            return Reason(code="event_succeeded")
        case _ if reason:
            return Reason(code="event_ended", params={"why": reason})
        case _:
            return Reason(code="event_ended_silently")


def _made(runs: Sequence[Run]) -> Iterator[JobEvent]:
    """What was made of what the runs left."""
    numbers = {run.id: run.number for run in runs}
    outputs: dict[int, list[datetime]] = {}
    for run_id, at in RunOutput.objects.filter(run__in=runs).values_list("run_id", "created_at"):
        outputs.setdefault(numbers[run_id], []).append(at)
    for number, times in outputs.items():
        what = Reason(code="event_outputs_kept", params={"count": len(times)})
        yield JobEvent(at=max(times), what=what, run=number)
    versions = ModelVersion.objects.filter(run_id__in=numbers).select_related("model")
    for version in versions.defer("files", "signature"):
        model = f"{version.model.name}@{version.number}"
        what = Reason(code="event_model_registered", params={"model": model})
        yield JobEvent(at=version.created_at, what=what, run=_number(numbers, version.run_id))
    for evaluation in Evaluation.objects.filter(run_id__in=numbers).select_related(
        "version__model"
    ):
        version = evaluation.version
        params = {
            "model": f"{version.model.name}@{version.number}",
            "dataset": evaluation.dataset,
            "split": evaluation.split,
        }
        yield JobEvent(
            at=evaluation.created_at,
            what=Reason(code="event_evaluated", params=params),
            run=_number(numbers, evaluation.run_id),
        )


def _number(numbers: dict[Any, int], run_id: Any) -> int | None:
    return numbers.get(run_id)


def shown(event: JobEvent) -> dict[str, Any]:
    """An event as the API's document has it, its sentences still to be rendered."""
    return {
        "at": event.at,
        "what": reasons.to_row(event.what),
        "actor": event.actor,
        "run": event.run,
        "node": event.node,
        "reason": event.reason,
    }
