from django.db import models
from django.db.models import Q

from agents.protocol.workloads import FINAL, HOLDING, Cause, WorkloadState
from apps.common.models import BaseModel

STATES = [(state.value, state.value) for state in WorkloadState]
CAUSES = [(cause.value, cause.value) for cause in Cause]


class GangQuerySet(models.QuerySet["Gang"]):
    def waiting(self) -> "GangQuerySet":
        """In the order of the queue: priority, then age."""
        return self.filter(ended_at__isnull=True, placed_at__isnull=True).order_by(
            "-priority", "created_at", "id"
        )


class Gang(BaseModel):
    """Workloads placed together or not at all, and fenced together; owned by a run or a replica."""

    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="gangs")
    fence = models.BigIntegerField(unique=True)  # from the sequence workloads_fence
    owner_kind = models.CharField(max_length=16)  # "run" | "replica"
    owner_id = models.UUIDField()
    priority = models.IntegerField(default=0)
    size = models.PositiveSmallIntegerField(default=1)

    # what one workload takes
    cpu_millis = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()
    device_count = models.PositiveSmallIntegerField(default=0)
    device_kind = models.CharField(max_length=128, blank=True)
    device_memory_bytes = models.BigIntegerField(default=0)
    simulated = models.BooleanField(default=False)  # on simulated nodes, and nowhere else

    avoid = models.JSONField(default=list)  # ids of nodes that are chosen only if no others will do

    placed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    waiting_reason = models.JSONField(null=True)  # Reason: why it is not placed yet

    objects = GangQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner_id"],
                condition=Q(ended_at__isnull=True),
                name="gang_one_live_per_owner",
            )
        ]
        indexes = [
            models.Index(
                fields=["-priority", "created_at"],
                name="gang_waiting",
                condition=Q(placed_at__isnull=True, ended_at__isnull=True),
            )
        ]


class WorkloadManager(models.Manager["Workload"]):
    """Leaves what may be megabytes in the database until somebody asks for it."""

    def get_queryset(self) -> models.QuerySet["Workload"]:
        return super().get_queryset().defer("spec", "outputs")


class Workload(BaseModel):
    """One supervised process group on one node."""

    gang = models.ForeignKey(Gang, models.PROTECT, related_name="workloads")
    rank = models.PositiveSmallIntegerField(default=0)
    node = models.ForeignKey("fleet.Node", models.PROTECT, null=True, related_name="workloads")
    spec = models.BinaryField()  # the exact bytes the node gets; hashed into the order
    spec_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=STATES, default=WorkloadState.PENDING.value)

    # start approval: who asked, and where its gang would find it
    start_nonce = models.CharField(max_length=64, blank=True)
    fabric_address = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(null=True)

    assigned_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reason = models.JSONField(null=True)  # Reason: why it is in this state
    cause = models.CharField(max_length=16, choices=CAUSES, blank=True)
    exit_code = models.IntegerField(null=True)
    log_bytes = models.BigIntegerField(null=True)  # final size, once known
    metrics_bytes = models.BigIntegerField(null=True)
    dropped_log_bytes = models.BigIntegerField(default=0)  # written beyond the limit: a gap
    outputs = models.JSONField(default=list)  # of FileRef, with `succeeded`
    service = models.JSONField(null=True)  # Service: where it is reached, of one that serves
    missed_heartbeats = models.PositiveSmallIntegerField(default=0)  # in a row, not listing it

    objects = WorkloadManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gang", "rank"], name="workload_rank_unique"),
            models.CheckConstraint(
                name="workload_final_iff_ended",
                condition=Q(state__in=sorted(s.value for s in FINAL)) ^ Q(ended_at__isnull=True),
            ),
            models.CheckConstraint(
                name="workload_placed_has_node",
                condition=~Q(state__in=sorted(s.value for s in HOLDING)) | Q(node__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["node"], name="workload_live", condition=Q(ended_at__isnull=True))
        ]


class WorkloadEvent(models.Model):
    """What became of a workload, in the order in which it was written down.

    A move to another state, or, while it waits, another reason to. Bounded for each workload.
    """

    id = models.BigAutoField(primary_key=True)
    workload = models.ForeignKey(Workload, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    state = models.CharField(max_length=16, choices=STATES)
    node = models.ForeignKey("fleet.Node", models.PROTECT, null=True, related_name="+")
    reason = models.JSONField(null=True)  # Reason

    class Meta:
        indexes = [models.Index(fields=["workload", "id"], name="workload_event_told")]


class Lease(BaseModel):
    """A device given to one workload for a while."""

    workload = models.ForeignKey(Workload, models.PROTECT, related_name="leases")
    device = models.ForeignKey("fleet.Device", models.PROTECT, related_name="leases")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=Q(ended_at__isnull=True), name="lease_one_live"
            )
        ]


class Restore(BaseModel):
    """This database came from a backup; `created_at` is when. Until it is released nothing is
    placed: nodes may be running what the backup does not know."""

    fence_from = models.BigIntegerField()  # fences above it and up to the next are of the time
    fence_to = models.BigIntegerField()  # that was lost
    heard_at = models.DateTimeField(null=True)  # every node had been heard, nothing unknown ran
    released_at = models.DateTimeField(null=True)


class Orphan(BaseModel):
    """A workload that a node has run or runs, begun after the backup this database came from."""

    node = models.ForeignKey("fleet.Node", models.CASCADE, related_name="orphans")
    workload_id = models.UUIDField()
    fence = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=STATES)
    ended_at = models.DateTimeField(null=True)  # it ended, or its node does not list it any more
    exit_code = models.IntegerField(null=True)
    reason = models.JSONField(null=True)  # Reason

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "workload_id", "fence"], name="orphan_once_per_node"
            )
        ]
