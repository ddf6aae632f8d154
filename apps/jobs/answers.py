"""Which jobs need somebody, are called like a text, or made something."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef

from agents.protocol.base import Reason
from apps.common import reasons
from apps.common.answers import (
    MOST_ITEMS,
    Found,
    HasId,
    Item,
    Maker,
    Subject,
    attends,
    called,
    finds,
    names,
    tells_makers,
)
from apps.jobs import selectors
from apps.jobs.models import Job, JobKind, JobState, Run

FAILED_WITHIN = timedelta(days=1)
STUCK_AFTER = timedelta(minutes=10)


@attends
def failed(project: HasId, at: datetime) -> Iterator[Item]:
    """Jobs that failed within the day, of each name and person the newest, and not made good."""
    later = Job.objects.filter(
        project_id=project.id,
        name=OuterRef("name"),
        submitted_by=OuterRef("submitted_by"),
        created_at__gt=OuterRef("created_at"),
        state__in=(JobState.SUCCEEDED, JobState.FAILED),
    )
    jobs = Job.objects.filter(
        ~Exists(later),
        project_id=project.id,
        state=JobState.FAILED,
        ended_at__gt=at - FAILED_WITHIN,
    ).exclude(kind=JobKind.IMPORT)  # of those the dataset speaks
    for view in selectors.views(list(jobs.order_by("-ended_at")[:MOST_ITEMS]), at=at):
        assert view.job.ended_at is not None
        yield Item(
            kind="job_failed",
            severity="error",
            since=view.job.ended_at,
            subject=_subject(view.job),
            reason=reasons.from_row(view.reason) or Reason(code="ended_without_reason"),
            action="open_log",
        )


@attends
def stuck(project: HasId, at: datetime) -> Iterator[Item]:
    """Jobs that have been waiting for a while, the longest first."""
    jobs = Job.objects.filter(
        project_id=project.id, state=JobState.QUEUED, created_at__lt=at - STUCK_AFTER
    )
    for view in selectors.views(list(jobs.order_by("created_at")[:MOST_ITEMS]), at=at):
        waiting = reasons.from_row(view.waiting)
        if waiting is None or view.queued_at is None or view.queued_at > at - STUCK_AFTER:
            continue  # it runs, or has run and is only just queued again
        yield Item(
            kind="job_stuck",
            severity="warning",
            since=view.queued_at,
            subject=_subject(view.job),
            reason=waiting,
            action="see_queue",
        )


@finds
def jobs_called(project: HasId, text: str) -> list[Found]:
    jobs = called(Job.objects.filter(project_id=project.id), text)
    return [Found(type="job", id=job.id, name=job.name, state=job.state) for job in jobs]


@names("job")
def names_of_jobs(ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(Job.objects.filter(id__in=ids).values_list("id", "name"))


@tells_makers
def makers(run_ids: Collection[UUID]) -> dict[UUID, Maker]:
    runs = Run.objects.filter(id__in=run_ids).select_related("job")
    return {run.id: Maker(id=run.job_id, name=run.job.name, run=run.number) for run in runs}


def _subject(job: Job) -> Subject:
    return Subject(type="job", id=job.id, name=job.name)
