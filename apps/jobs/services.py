"""Everything that changes a job or a run.

Rows are locked in one order: the job, then (inside `workloads`) the gang. Every step may be
repeated: what was done in one transaction is found done in the next.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.protocol.base import Reason
from agents.protocol.workloads import Cause, WorkloadState
from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.audit import services as audit
from apps.common import reasons
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, NotFound
from apps.common.events import publish
from apps.datasets import services as datasets
from apps.datasets.models import DatasetVersion, VersionState
from apps.jobs import results, selectors, specs
from apps.jobs.events import JobMoved
from apps.jobs.models import Job, JobKind, JobState, Run, RunInput, RunState
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.workloads import selectors as gangs
from apps.workloads import services as workloads
from apps.workloads.models import Gang

log = logging.getLogger(__name__)

IMPORT_RETRIES = 2
RETRIED = frozenset({Cause.ENVIRONMENT, Cause.HARDWARE, Cause.NODE_LOST})  # not the user's fault


class JobAlreadyOver(DomainError):
    """The job has ended; there is nothing left to stop."""


@transaction.atomic
def submit_job(
    *,
    project: Project,
    actor: Actor,
    user: User | None,
    kind: JobKind,
    name: str,
    config: Mapping[str, Any],
    priority: int,
    max_retries: int,
    at: datetime,
) -> Job:
    """Take a job and queue its first run; refuse what could never run, field by field."""
    prepared = specs.read_config(project, kind, {**config, "name": name})
    job = Job.objects.create(
        project=project,
        name=(name or prepared.name)[:200],
        kind=kind,
        config=prepared.config,
        priority=priority,
        max_retries=max_retries,
        submitted_by=user,
    )
    audit.record(actor, "job.submit", job, project=project, kind=kind, name=job.name)
    _start_run(job, prepared.inputs, at=at)
    return job


@transaction.atomic
def import_version(*, version_id: UUID, at: datetime) -> Job | None:
    """Make the import job of a dataset version that waits for one; None if it has one."""
    version = (
        DatasetVersion.objects.select_for_update(of=("self",))
        .select_related("dataset__project", "created_by")
        .filter(pk=version_id, state=VersionState.IMPORTING)
        .first()
    )
    # looked at under the lock: two who try at once make one job
    if version is None or not selectors.unimported().filter(pk=version.pk).exists():
        return None
    try:
        with transaction.atomic():
            return submit_job(
                project=version.dataset.project,
                actor=SYSTEM,
                user=version.created_by,
                kind=JobKind.IMPORT,
                name="",
                config={"version": version.id},
                priority=0,
                max_retries=IMPORT_RETRIES,
                at=at,
            )
    except workloads.DemandTooLarge as refusal:
        reason = Reason(code=refusal.code, params=refusal.params)
        datasets.fail_import(version_id=version.id, reason=reason, at=at)
        return None


def import_published(*, at: datetime) -> None:
    """Make an import job of every dataset version that waits for one."""
    for version_id in list(selectors.unimported().values_list("id", flat=True)):
        try:
            import_version(version_id=version_id, at=at)
        except Exception:
            # one that cannot be imported must not keep the others from being
            log.exception("no import job for dataset version %s", version_id)


@transaction.atomic
def stop_job(*, job_id: UUID, actor: Actor, at: datetime) -> Job:
    """Ask a job to end; what has not started ends at once, what runs gets its grace."""
    job = _lock(job_id)
    if job.is_over:
        raise JobAlreadyOver(state=job.state)
    audit.record(actor, "job.stop", job, project=job.project)
    if job.stop_asked_at is None:
        job.stop_asked_at, job.stopped_by = at, actor.name[:200]
        job.save(update_fields=["stop_asked_at", "stopped_by"])
    for run in job.runs.filter(ended_at=None, gang_id__isnull=False):
        assert run.gang_id is not None
        workloads.stop_gang(gang_id=run.gang_id, actor=actor, at=at)
        _settle(job, run, at=at)
    _say(job)
    return job


@dataclass(frozen=True)
class StopOutcome:
    """Whether one of several jobs was asked to end, and why not."""

    id: UUID
    stopped: bool
    reason: Reason | None


def stop_jobs(
    *, project: Project, ids: Sequence[UUID], actor: Actor, at: datetime
) -> list[StopOutcome]:
    """Ask jobs of a project to end, each by itself: one that cannot be stopped keeps no other."""
    known = set(Job.objects.filter(project=project, id__in=ids).values_list("id", flat=True))
    outcomes = []
    for job_id in dict.fromkeys(ids):
        try:
            if job_id not in known:
                raise NotFound
            stop_job(job_id=job_id, actor=actor, at=at)
        except (NotFound, JobAlreadyOver) as refusal:
            reason = Reason(code=refusal.code, params=refusal.params)
            outcomes.append(StopOutcome(job_id, False, reason))
        else:
            outcomes.append(StopOutcome(job_id, True, None))
    return outcomes


def say_run_moved(*, run_id: UUID) -> None:
    """Tell a job's watchers that something about it has changed: the API says what."""
    job = Job.objects.filter(runs=run_id).first()
    if job is not None:
        _say(job)


# --- following the gang --------------------------------------------------------------------------


def settle_runs(*, at: datetime) -> None:
    """Bring every run, and its job, to where its gang is."""
    for run_id in list(selectors.unsettled().values_list("id", flat=True)):
        try:
            settle_run(run_id=run_id, at=at)
        except Exception:
            # one run that cannot be settled must not keep the others from being
            log.exception("run %s is not settled", run_id)


@transaction.atomic
def settle_run(*, run_id: UUID, at: datetime) -> None:
    """Bring a run and its job to where its gang is; nothing if they are there."""
    job_id = Run.objects.filter(pk=run_id).values_list("job_id", flat=True).first()
    if job_id is None:
        raise NotFound
    job = _lock(job_id)
    _settle(job, Run.objects.get(pk=run_id), at=at)


def _settle(job: Job, run: Run, *, at: datetime) -> None:
    gang = gangs.gangs([run.gang_id]).get(run.gang_id) if run.gang_id else None
    if gang is None or run.ended_at is not None:
        return
    started_at = gangs.started_at(gang)
    if started_at and run.state == RunState.QUEUED:
        run.state, run.started_at = RunState.RUNNING, started_at
        run.save(update_fields=["state", "started_at"])
        job.state, job.started_at = JobState.RUNNING, job.started_at or started_at
        job.save(update_fields=["state", "started_at"])
        _say(job)
    outcome = gangs.outcome(gang)
    if outcome is None:
        return
    if outcome.state is WorkloadState.SUCCEEDED:
        _succeed(job, run, gang, outcome, at=at)
    else:
        _fall(job, run, outcome, at=at)


def _succeed(job: Job, run: Run, gang: Gang, outcome: gangs.Outcome, *, at: datetime) -> None:
    """Keep what the run left; results that cannot be read make it a failure."""
    try:
        record_outputs(job=job, run=run, gang=gang, at=at)
    except results.Unusable as refusal:
        _end_run(run, RunState.FAILED, outcome, refusal.reason, refusal.cause, at=at)
        _end_job(job, JobState.FAILED, refusal.reason, at=at)
        return
    _end_run(run, RunState.SUCCEEDED, outcome, None, None, at=at)
    _end_job(job, JobState.SUCCEEDED, None, at=at)


def record_outputs(*, job: Job, run: Run, gang: Gang, at: datetime) -> None:
    """Note the files a run left, and make of them what their names promise.

    Raises ``results.Unusable`` if that cannot be; the files that are there are noted all the same.
    """
    files = results.keep(run=run, project=job.project, stored=gangs.first_workload(gang).outputs)
    with transaction.atomic():  # all that the results promise, or nothing
        results.interpret(job=job, run=run, files=files, at=at)


def _fall(job: Job, run: Run, outcome: gangs.Outcome, *, at: datetime) -> None:
    """End a run that did not succeed: the job is over, or tries again."""
    cause = outcome.cause or Cause.USER_CODE
    if job.stop_asked_at is not None:
        _end_run(run, RunState.STOPPED, outcome, outcome.reason, cause, at=at)
        _end_job(job, JobState.CANCELLED, outcome.reason, at=at)
    elif cause is Cause.INTERRUPTED or outcome.state is WorkloadState.STOPPED:
        # nobody here asked for its end: what a node stops for its own reasons runs again
        _end_run(run, RunState.INTERRUPTED, outcome, outcome.reason, Cause.INTERRUPTED, at=at)
        _try_again(job, run, at=at)
    else:
        _end_run(run, RunState.FAILED, outcome, outcome.reason, cause, at=at)
        failed = job.runs.filter(state=RunState.FAILED).count()
        if cause in RETRIED and failed <= job.max_retries:
            _try_again(job, run, at=at)
        else:
            _end_job(job, JobState.FAILED, outcome.reason, at=at)


def _try_again(job: Job, run: Run, *, at: datetime) -> None:
    """Queue the next run of a job, unless no node could hold it any more."""
    try:
        with transaction.atomic():
            _start_run(job, selectors.inputs_of(run), at=at, number=run.number + 1)
    except workloads.DemandTooLarge as refusal:
        reason = Reason(code=refusal.code, params=refusal.params)
        Run.objects.filter(pk=run.pk).update(reason=reasons.to_row(reason))
        _end_job(job, JobState.FAILED, reason, at=at)
        return
    job.state = JobState.QUEUED
    job.save(update_fields=["state"])
    _say(job)


def _start_run(
    job: Job,
    inputs: specs.Sources,
    *,
    at: datetime,
    number: int = 1,
) -> Run:
    run = Run.objects.create(job=job, number=number)
    RunInput.objects.bulk_create(
        RunInput(
            run=run,
            name=name,
            dataset_version=source if isinstance(source, DatasetVersion) else None,
            model_version=source if isinstance(source, ModelVersion) else None,
        )
        for name, source in inputs
    )
    gang = workloads.request_gang(
        project=job.project,
        owner_kind="run",
        owner_id=run.id,
        resources=specs.resources_of(job),
        specs=[specs.workload_spec(job, inputs)],
        priority=job.priority,
        at=at,
        avoid=_failed_on(job),
    )
    run.gang_id = gang.id
    run.save(update_fields=["gang_id"])
    _say(job)
    return run


def _failed_on(job: Job) -> set[UUID]:
    """The nodes where the job has failed through no fault of its own."""
    failed = job.runs.filter(state=RunState.FAILED, cause__in=[c.value for c in RETRIED])
    ids = [gang_id for gang_id in failed.values_list("gang_id", flat=True) if gang_id]
    return gangs.failed_on(ids, RETRIED) if ids else set()


def _end_run(
    run: Run,
    state: RunState,
    outcome: gangs.Outcome,
    reason: Reason | None,
    cause: Cause | None,
    *,
    at: datetime,
) -> None:
    run.state, run.ended_at, run.exit_code = state, outcome.ended_at, outcome.exit_code
    run.reason = reasons.to_row(reason) if reason else None
    run.cause = cause.value if cause else ""
    run.save(update_fields=["state", "ended_at", "exit_code", "reason", "cause"])
    accounts.revoke_run_tokens(run_id=run.id, at=at)


def _end_job(job: Job, state: JobState, reason: Reason | None, *, at: datetime) -> None:
    job.state, job.ended_at = state, at
    job.save(update_fields=["state", "ended_at"])
    if job.kind == JobKind.IMPORT and state is not JobState.SUCCEEDED:
        datasets.fail_import(
            version_id=UUID(job.config["version"]),
            reason=reason or Reason(code="import_failed"),
            at=at,
        )
    _say(job)


def _lock(job_id: UUID) -> Job:
    job = (
        Job.objects.select_for_update(of=("self",))
        .select_related("project", "submitted_by")
        .filter(pk=job_id)
        .first()
    )
    if job is None:
        raise NotFound
    return job


def _say(job: Job) -> None:
    publish(JobMoved(job_id=job.id, project_id=job.project_id, state=str(job.state)))
