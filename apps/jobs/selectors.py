"""Questions about jobs, their runs and what came of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from agents.protocol.workloads import WorkloadState
from apps.common.errors import NotFound
from apps.datasets import selectors as datasets
from apps.datasets.models import DatasetVersion
from apps.fleet.models import Node
from apps.jobs import logs
from apps.jobs.models import Job, JobKind, Run, RunInput, RunOutput, RunState
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.telemetry import selectors as telemetry
from apps.workloads import selectors as workloads
from apps.workloads.models import Gang, Workload

LOG_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class RunView:
    """A run with where it runs."""

    id: UUID
    number: int
    state: str
    reason: dict[str, Any] | None
    cause: str
    exit_code: int | None
    started_at: datetime | None
    ended_at: datetime | None
    workload: UUID | None
    node: Node | None


@dataclass(frozen=True)
class InputView:
    name: str
    kind: str  # "dataset" | "model"
    dataset: str | None  # one of the two names
    model: str | None
    number: int
    version: UUID


@dataclass(frozen=True)
class JobView:
    """A job as people see it: with its newest run, what that reads and what it made."""

    job: Job
    reason: dict[str, Any] | None
    waiting: dict[str, Any] | None  # why it is not running yet
    run: RunView | None
    inputs: list[InputView]
    model_version: ModelVersion | None


def jobs_in(project: Project) -> QuerySet[Job]:
    return Job.objects.filter(project=project).select_related("submitted_by")


def filtered(
    jobs: QuerySet[Job],
    *,
    state: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    dataset_version: UUID | None = None,
) -> QuerySet[Job]:
    """Those of the jobs that are asked for."""
    if state is not None:
        jobs = jobs.filter(state=state)
    if kind is not None:
        jobs = jobs.filter(kind=kind)
    if name is not None:
        jobs = jobs.filter(name__icontains=name)
    if dataset_version is not None:
        reading = RunInput.objects.filter(run__job=OuterRef("pk"), dataset_version=dataset_version)
        jobs = jobs.filter(Exists(reading))
    return jobs


def job_in(project: Project, job_id: UUID) -> Job:
    """A job of the project; raises ``NotFound``."""
    found = jobs_in(project).filter(pk=job_id).first()
    if found is None:
        raise NotFound
    return found


def views(jobs: Sequence[Job]) -> list[JobView]:
    """Jobs as people see them, with a handful of queries however many they are."""
    newest = {
        run.job_id: run
        for run in Run.objects.filter(job__in=jobs)
        .order_by("job_id", "-number")
        .distinct("job_id")
        .prefetch_related(
            Prefetch(
                "inputs",
                RunInput.objects.order_by("name")
                .select_related("dataset_version__dataset", "model_version__model")
                .defer(
                    "dataset_version__files",
                    "dataset_version__profile",
                    "model_version__files",
                    "model_version__signature",
                ),
            )
        )
    }
    gangs = workloads.gangs([run.gang_id for run in newest.values() if run.gang_id])
    made = _made_by([run.id for run in newest.values()])
    return [_view(job, newest.get(job.id), gangs, made) for job in jobs]


def view(job: Job) -> JobView:
    (one,) = views([job])
    return one


def runs_of(job: Job) -> list[RunView]:
    """Every try at a job, the newest first."""
    runs = list(job.runs.order_by("-number"))
    gangs = workloads.gangs([run.gang_id for run in runs if run.gang_id])
    return [_run_view(run, gangs) for run in runs]


def run_of(job: Job, number: int | None) -> Run:
    """A run of the job by number, else the newest; raises ``NotFound``."""
    runs = job.runs.order_by("-number")
    found = (runs if number is None else runs.filter(number=number)).first()
    if found is None:
        raise NotFound
    return found


def workload_of(run: Run) -> Workload | None:
    """The workload that speaks for a run; None if it runs outside."""
    if run.gang_id is None:
        return None
    return Workload.objects.filter(gang_id=run.gang_id).order_by("rank").first()


def outputs_of(run: Run) -> QuerySet[RunOutput]:
    return RunOutput.objects.filter(run=run).select_related("artifact").order_by("path")


def inputs_of(run: Run) -> list[tuple[str, DatasetVersion | ModelVersion]]:
    """What a run reads, by name."""
    rows = RunInput.objects.filter(run=run).select_related(
        "dataset_version__dataset", "model_version__model"
    )
    return [(row.name, row.source) for row in rows.order_by("id")]


def unsettled() -> QuerySet[Run]:
    """Live runs whose gang is further than they are."""
    live = Run.objects.filter(ended_at=None, gang_id__isnull=False).order_by("id")
    over = Exists(Gang.objects.filter(id=OuterRef("gang_id"), ended_at__isnull=False))
    started = Exists(Workload.objects.filter(gang=OuterRef("gang_id"), started_at__isnull=False))
    return live.filter(over) | live.filter(started, state=RunState.QUEUED)


def unimported() -> QuerySet[DatasetVersion]:
    """Dataset versions that wait for an import that nobody has made a job of."""
    imports = RunInput.objects.filter(dataset_version=OuterRef("pk"), run__job__kind=JobKind.IMPORT)
    return datasets.awaiting_import().filter(~Exists(imports))


def _view(
    job: Job, run: Run | None, gangs: dict[UUID, Gang], made: dict[UUID, ModelVersion]
) -> JobView:
    reason = None
    if job.stopped_by and job.is_over and job.state == "cancelled":
        reason = {"code": "stopped_by", "params": {"name": job.stopped_by}}
    elif run is not None and job.is_over:
        reason = run.reason
    return JobView(
        job=job,
        reason=reason,
        waiting=_waiting(run, gangs) if run and not job.is_over else None,
        run=_run_view(run, gangs) if run else None,
        inputs=[_input_view(item) for item in (run.inputs.all() if run else [])],
        model_version=made.get(run.id) if run else None,
    )


def _input_view(item: RunInput) -> InputView:
    source = item.source
    of_model = isinstance(source, ModelVersion)
    return InputView(
        name=item.name,
        kind="model" if of_model else "dataset",
        dataset=source.dataset.name if isinstance(source, DatasetVersion) else None,
        model=source.model.name if isinstance(source, ModelVersion) else None,
        number=source.number,
        version=source.id,
    )


def _waiting(run: Run, gangs: dict[UUID, Gang]) -> dict[str, Any] | None:
    """What the job is waiting for, while no process of it runs."""
    gang = gangs.get(run.gang_id) if run.gang_id else None
    if gang is None:
        return None
    workload = workloads.first_workload(gang)
    node = {"node": workload.node.name if workload.node else ""}
    match WorkloadState(workload.state):
        case WorkloadState.PENDING:
            return gang.waiting_reason or {"code": "waits_for_scheduler", "params": {}}
        case WorkloadState.ASSIGNED:
            return {"code": "waits_for_node", "params": node}
        case WorkloadState.STARTING:
            return {"code": "fetches_inputs", "params": node}
        case _:
            return None


def _run_view(run: Run, gangs: dict[UUID, Gang]) -> RunView:
    gang = gangs.get(run.gang_id) if run.gang_id else None
    workload = workloads.first_workload(gang) if gang else None
    return RunView(
        id=run.id,
        number=run.number,
        state=run.state,
        reason=run.reason,
        cause=run.cause,
        exit_code=run.exit_code,
        started_at=run.started_at,
        ended_at=run.ended_at,
        workload=workload.id if workload else None,
        node=workload.node if workload else None,
    )


def _made_by(run_ids: Sequence[UUID]) -> dict[UUID, ModelVersion]:
    versions = ModelVersion.objects.filter(run_id__in=run_ids).select_related("model")
    return {
        version.run_id: version
        for version in versions.defer("files", "signature")
        if version.run_id
    }


def log_piece(run: Run, offset: int, limit: int, since: datetime | None = None) -> dict[str, Any]:
    """A piece of a run's log from an offset or a time, cut between characters."""
    workload = workload_of(run)
    if workload is None:
        nothing = {"offset": 0, "next_offset": 0, "complete": True, "dropped_bytes": 0}
        return {**nothing, "text": "", "times": []}
    if since is not None:
        offset = telemetry.log_offset_at(workload.id, since)
    piece = telemetry.log_slice(workload.id, offset, limit)
    if workload.log_bytes is not None:  # known once the process is gone
        complete = piece.next_offset >= workload.log_bytes
    else:  # nothing more is coming from a run that never got that far
        complete = run.is_over and piece.next_offset >= piece.stored
    text, taken = logs.whole_text(piece.data, final=complete)
    return {
        "offset": piece.offset,
        "next_offset": piece.offset + taken,
        "complete": complete,
        "dropped_bytes": piece.dropped_bytes + workload.dropped_log_bytes,
        "text": text,
        "times": [(at, written_at.timestamp()) for at, written_at in piece.times],
    }


def log_bytes(run: Run) -> Iterator[bytes]:
    """All that there is of a run's log, piece by piece."""
    workload, offset = workload_of(run), 0
    while workload is not None:
        piece = telemetry.log_slice(workload.id, offset, LOG_PIECE_BYTES)
        if not piece.data:
            return
        yield piece.data
        offset = piece.next_offset


def metrics_of(run: Run, names: list[str] | None) -> dict[str, Any]:
    """A run's metric points by name, thinned where there are very many."""
    workload = workload_of(run)
    if workload is None:
        return {"through": 0, "series": []}
    through, series = telemetry.points(workload.id, names=names)
    return {
        "through": through,
        "series": [{"name": name, "points": points} for name, points in series.items()],
    }
