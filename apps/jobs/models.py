from django.db import models
from django.db.models import Q

from agents.protocol.workloads import Cause
from apps.artifacts import paths
from apps.common.models import BaseModel
from apps.datasets.models import DatasetVersion
from apps.registry.models import ModelVersion


class JobKind(models.TextChoices):
    IMPORT = "import"
    TRAIN = "train"  # with a recipe
    SCRIPT = "script"
    EVALUATE = "evaluate"  # a model version on a dataset version


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Job(BaseModel):
    """What somebody asked to have computed; each try at it is a run."""

    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=JobKind)
    config = models.JSONField()  # as submitted, defaults filled in
    priority = models.IntegerField(default=0)
    max_retries = models.PositiveSmallIntegerField(default=0)
    submitted_by = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, related_name="jobs"
    )
    state = models.CharField(max_length=16, choices=JobState, default=JobState.QUEUED.value)
    stop_asked_at = models.DateTimeField(null=True)
    stopped_by = models.CharField(max_length=200, blank=True)  # who asked
    started_at = models.DateTimeField(null=True)  # of the first run that did
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="job_final_iff_ended",
                condition=Q(state__in=[state.value for state in ENDED]) ^ Q(ended_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["project", "-created_at"], name="job_newest")]

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


class RunState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"  # the installation stopped; the job goes on as another run


RUN_ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.INTERRUPTED)


class Run(BaseModel):
    """One attempt at a job."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    gang_id = models.UUIDField(null=True, unique=True)  # null: external
    state = models.CharField(max_length=16, choices=RunState, default=RunState.QUEUED.value)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reason = models.JSONField(null=True)  # Reason
    cause = models.CharField(max_length=16, choices=[(c.value, c.value) for c in Cause], blank=True)
    exit_code = models.IntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="run_number_unique"),
            models.UniqueConstraint(
                fields=["job"], condition=Q(ended_at__isnull=True), name="run_one_live_per_job"
            ),
            models.CheckConstraint(
                name="run_final_iff_ended",
                condition=Q(state__in=[state.value for state in RUN_ENDED])
                ^ Q(ended_at__isnull=True),
            ),
        ]

    @property
    def is_over(self) -> bool:
        return self.state in RUN_ENDED


class RunInput(BaseModel):
    """Lineage, upwards: what a run read."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="inputs")
    name = models.CharField(max_length=64)
    # one of the two
    dataset_version = models.ForeignKey(
        "datasets.DatasetVersion", models.PROTECT, null=True, related_name="used_by"
    )
    model_version = models.ForeignKey(
        "registry.ModelVersion", models.PROTECT, null=True, related_name="used_by"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="run_input_one_source",
                condition=Q(dataset_version__isnull=False) ^ Q(model_version__isnull=False),
            )
        ]

    @property
    def source(self) -> DatasetVersion | ModelVersion:
        """What was read."""
        source = self.dataset_version or self.model_version
        assert source is not None  # held by the constraint
        return source


class RunOutput(BaseModel):
    """Lineage, downwards: a file a run left, and what was made of it."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="outputs")
    path = models.CharField(max_length=paths.MAX_PATH_BYTES)
    artifact = models.ForeignKey("artifacts.Artifact", models.PROTECT, related_name="+")
    model_version = models.ForeignKey(
        "registry.ModelVersion", models.SET_NULL, null=True, related_name="+"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path"], name="run_output_unique")]
