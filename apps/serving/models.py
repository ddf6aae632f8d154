from django.db import models
from django.db.models import Q

from apps.common.models import BaseModel

OWNER_KIND = "replica"  # what the gang of a replica calls its owner


class Endpoint(BaseModel):
    """An address that answers calls: how many replicas are wanted, and within which limits."""

    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="endpoints")
    name = models.CharField(max_length=100)
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    deployment = models.ForeignKey(  # what is wanted; null only inside the transaction that creates
        "serving.Deployment", models.PROTECT, null=True, related_name="+"
    )
    replicas_wanted = models.PositiveSmallIntegerField(default=1)
    max_queue = models.PositiveIntegerField(default=1024)  # calls waiting, in one gateway
    timeout_seconds = models.FloatField(default=30.0)  # from a call's last byte to its answer
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(deleted_at__isnull=True),
                name="endpoint_name_unique",
            )
        ]


class Deployment(BaseModel):
    """What an endpoint serves, or once served. Never changed: a rollback is another one."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deployments")
    number = models.PositiveIntegerField()
    version = models.ForeignKey("registry.ModelVersion", models.PROTECT, related_name="deployments")
    resources = models.JSONField()  # Resources, of one replica
    max_batch = models.PositiveSmallIntegerField(default=64)
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    tried_from = models.DateTimeField()  # replicas that ended before do not count against it
    given_up_at = models.DateTimeField(null=True)
    reason = models.JSONField(null=True)  # Reason: why it was given up

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="deployment_number_unique")
        ]


class ReplicaState(models.TextChoices):
    STARTING = "starting"  # waits for room, or starts
    READY = "ready"  # reached, warm: calls go there
    UNREACHABLE = "unreachable"  # runs, and cannot be reached: the reason says why
    STOPPING = "stopping"  # takes no new calls
    ENDED = "ended"


class Replica(BaseModel):
    """One running copy of a deployment."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="replicas")
    number = models.PositiveIntegerField()  # of the endpoint, counting all there ever were
    gang_id = models.UUIDField(null=True, unique=True)
    state = models.CharField(
        max_length=16, choices=ReplicaState, default=ReplicaState.STARTING.value
    )
    ready_at = models.DateTimeField(null=True)  # when it first was
    probed_at = models.DateTimeField(null=True)
    missed_probes = models.PositiveSmallIntegerField(default=0)  # in a row
    stop_asked_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reason = models.JSONField(null=True)  # Reason: why it is in this state
    cause = models.CharField(max_length=16, blank=True)  # Cause, of an end

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="replica_ended_iff_ended_at",
                condition=Q(state=ReplicaState.ENDED.value) ^ Q(ended_at__isnull=True),
            )
        ]
        indexes = [
            models.Index(
                fields=["deployment"], name="replica_live", condition=Q(ended_at__isnull=True)
            )
        ]


class Key(BaseModel):
    """A credential that may call one endpoint. Only the hash of its secret is kept."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="keys")
    name = models.CharField(max_length=100)
    secret_sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    requests_per_minute = models.PositiveIntegerField(null=True)  # in one gateway; null: no limit
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
