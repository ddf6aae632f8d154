"""Questions about jobs, their runs and what came of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, IntegerField, OuterRef, Prefetch, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import FieldRefusal, InputRefused, NotFound
from apps.datasets import selectors as datasets
from apps.datasets.models import DatasetVersion
from apps.fleet.models import Device, Node
from apps.jobs import forecast, specs
from apps.jobs.models import Job, JobKind, JobState, Run, RunInput, RunOutput, RunState
from apps.projects.models import Project
from apps.registry import selectors as registry
from apps.registry.models import Evaluation, ModelVersion
from apps.telemetry import selectors as telemetry
from apps.workloads import selectors as workloads
from apps.workloads.models import Gang, Workload


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
    devices: list[Device]


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
    queued_at: datetime | None  # the newest run
    run: RunView | None
    inputs: list[InputView]
    model_version: ModelVersion | None
    evaluation: Evaluation | None
    progress: float | None  # 0 to 1
    time_left_seconds: int | None
    main_metric: dict[str, Any] | None


def jobs_in(project: Project) -> QuerySet[Job]:
    return Job.objects.filter(project=project).select_related("submitted_by")


def filtered(
    project: Project,
    *,
    state: Collection[str] = (),
    kind: Collection[str] = (),
    search: str = "",
    submitted_by: User | str | None = None,
    dataset: str = "",
    dataset_version: UUID | None = None,
    model: str = "",
    ended_after: datetime | None = None,
) -> QuerySet[Job]:
    """Those of the project's jobs that are asked for; a person is one, or a name.

    Raises ``InputRefused`` for a dataset or a model that is not there.
    """
    jobs = jobs_in(project)
    if state:
        jobs = jobs.filter(state__in=state)
    if kind:
        jobs = jobs.filter(kind__in=kind)
    if search:
        jobs = jobs.filter(name__icontains=search)
    if isinstance(submitted_by, User):
        jobs = jobs.filter(submitted_by=submitted_by)
    elif submitted_by is not None:
        jobs = jobs.filter(submitted_by__username=submitted_by)
    if ended_after is not None:
        jobs = jobs.filter(ended_at__gt=ended_after)
    inputs = RunInput.objects.filter(run__job=OuterRef("pk"))
    if dataset_version is not None:
        jobs = jobs.filter(Exists(inputs.filter(dataset_version=dataset_version)))
    if dataset:
        with _asking("dataset"):
            jobs = jobs.filter(Exists(inputs.filter(**_of_dataset(project, dataset))))
    if model:
        with _asking("model"):
            versions = _of_model(project, model)
        runs = versions.filter(run_id__isnull=False).values("run_id")
        made = Run.objects.filter(job=OuterRef("pk"), id__in=runs)
        jobs = jobs.filter(Exists(inputs.filter(model_version__in=versions)) | Exists(made))
    return jobs


# what a page of jobs may be ordered by; each is a field or one of the annotations of `ordered`
ORDERINGS = {
    "created_at": "created_at",
    "name": "name",
    "state": "stage",
    "started_at": "began",
    "ended_at": "finished",
    "priority": "priority",
}
STAGES = ("running", "queued", "paused", "failed", "cancelled", "succeeded")  # what needs one first
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # pages by key know no null: before all that ever was


def ordered(jobs: QuerySet[Job], ordering: str) -> tuple[QuerySet[Job], str]:
    """The jobs with what this order needs, and the field to page them by."""
    name = ordering.lstrip("-")
    match name:
        case "state":
            stages = [When(state=state, then=Value(at)) for at, state in enumerate(STAGES)]
            jobs = jobs.annotate(stage=Case(*stages, output_field=IntegerField()))
        case "started_at":
            jobs = jobs.annotate(began=Coalesce("started_at", Value(NEVER)))
        case "ended_at":
            jobs = jobs.annotate(finished=Coalesce("ended_at", Value(NEVER)))
    return jobs, ordering[: -len(name)] + ORDERINGS[name]


@contextmanager
def _asking(field: str) -> Iterator[None]:
    """What is not there is the fault of this field."""
    try:
        yield
    except NotFound as error:
        raise InputRefused([FieldRefusal(field, error.code, error.params)]) from error


def _of_dataset(project: Project, ref: str) -> dict[str, Any]:
    if "@" in ref:
        return {"dataset_version": datasets.version(project, ref)}
    return {"dataset_version__dataset": datasets.dataset(project, ref)}


def _of_model(project: Project, ref: str) -> QuerySet[ModelVersion]:
    if "@" in ref:
        return ModelVersion.objects.filter(pk=registry.version(project, ref).pk)
    return ModelVersion.objects.filter(model=registry.model(project, ref))


def job_in(project: Project, job_id: UUID) -> Job:
    """A job of the project; raises ``NotFound``."""
    found = jobs_in(project).filter(pk=job_id).first()
    if found is None:
        raise NotFound
    return found


def views(jobs: Sequence[Job], *, at: datetime | None = None) -> list[JobView]:
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
    evaluations = _evaluations_by([run.id for run in newest.values()])
    glances = _glances(jobs, newest, gangs)
    return [
        _view(
            job,
            newest.get(job.id),
            gangs,
            made,
            evaluations,
            glances.get(job.id),
            at or timezone.now(),
        )
        for job in jobs
    ]


def view(job: Job) -> JobView:
    (one,) = views([job])
    return one


def runs_of(job: Job) -> list[RunView]:
    """Every try at a job, the newest first."""
    runs = list(job.runs.order_by("-number"))
    gangs = workloads.gangs([run.gang_id for run in runs if run.gang_id])
    return [_run_view(run, gangs) for run in runs]


def readers_of(
    *, dataset_version: DatasetVersion | None = None, model_version: ModelVersion | None = None
) -> QuerySet[Run]:
    """Runs that read a version, with their jobs."""
    inputs = RunInput.objects.filter(run=OuterRef("pk"))
    if dataset_version is not None:
        inputs = inputs.filter(dataset_version=dataset_version)
    if model_version is not None:
        inputs = inputs.filter(model_version=model_version)
    return Run.objects.filter(Exists(inputs)).select_related("job__submitted_by")


@dataclass(frozen=True)
class UseView:
    """A run that read something, and the model version that it made of it."""

    run: Run
    model_version: ModelVersion | None
    evaluation: Evaluation | None


def uses(runs: Sequence[Run]) -> list[UseView]:
    ids = [run.id for run in runs]
    made, evaluations = _made_by(ids), _evaluations_by(ids)
    return [UseView(run, made.get(run.id), evaluations.get(run.id)) for run in runs]


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
    return [(row.name, row.source) for row in rows.order_by("name")]


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


def _glances(
    jobs: Sequence[Job], newest: Mapping[UUID, Run], gangs: dict[UUID, Gang]
) -> dict[UUID, telemetry.Glance]:
    """What the newest run of each job has reported of itself, by job."""
    faces = {}
    for job in jobs:
        run = newest.get(job.id)
        gang = gangs.get(run.gang_id) if run and run.gang_id else None
        if gang is not None:
            faces[job.id] = workloads.first_workload(gang).id
    wanted = {faces[job.id]: specs.main_metric(job) for job in jobs if job.id in faces}
    seen = telemetry.glances(wanted)
    return {job_id: seen[workload_id] for job_id, workload_id in faces.items()}


def _view(
    job: Job,
    run: Run | None,
    gangs: dict[UUID, Gang],
    made: dict[UUID, ModelVersion],
    evaluations: dict[UUID, Evaluation],
    glance: telemetry.Glance | None,
    at: datetime,
) -> JobView:
    gang = gangs.get(run.gang_id) if run and run.gang_id else None
    progress = glance.progress if glance else None
    reason = None
    if job.stopped_by and job.is_over and job.state == "cancelled":
        reason = {"code": "stopped_by", "params": {"name": job.stopped_by}}
    elif run is not None and job.is_over:
        reason = run.reason
    return JobView(
        job=job,
        reason=reason,
        waiting=workloads.waiting_for(gang) if gang and not job.is_over else None,
        queued_at=run.created_at if run else None,
        run=_run_view(run, gangs) if run else None,
        inputs=[_input_view(item) for item in (run.inputs.all() if run else [])],
        model_version=made.get(run.id) if run else None,
        evaluation=evaluations.get(run.id) if run else None,
        progress=1.0 if job.state == JobState.SUCCEEDED else progress,
        time_left_seconds=(
            forecast.seconds_left(
                progress=progress,
                told_at=glance.progress_at if glance else None,
                started_at=run.started_at,
                at=at,
            )
            if run and job.state == JobState.RUNNING
            else None
        ),
        main_metric=(
            {"name": glance.name, "value": glance.value, "spark": glance.spark}
            if glance and glance.name
            else None
        ),
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
        devices=workloads.devices_of(gang) if gang else [],
    )


def _made_by(run_ids: Sequence[UUID]) -> dict[UUID, ModelVersion]:
    versions = ModelVersion.objects.filter(run_id__in=run_ids).select_related("model")
    return {
        version.run_id: version
        for version in versions.defer("files", "signature")
        if version.run_id
    }


def _evaluations_by(run_ids: Sequence[UUID]) -> dict[UUID, Evaluation]:
    rows = Evaluation.objects.filter(run_id__in=run_ids).select_related("version__model")
    rows = rows.defer("detail", "pictures", "version__files", "version__signature")
    return {row.run_id: row for row in rows.order_by("id") if row.run_id}


def log_piece(run: Run, offset: int, limit: int, since: datetime | None = None) -> dict[str, Any]:
    """A piece of a run's log from an offset or a time, cut between characters."""
    workload = workload_of(run)
    return workloads.log_piece(workload, offset, limit, since=since, over=run.is_over)


def log_bytes(run: Run) -> Iterator[bytes]:
    """All that there is of a run's log, piece by piece."""
    return workloads.log_bytes(workload_of(run))


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
