from django.db import models
from django.db.models import Q

from apps.common.models import BaseModel


class Artifact(BaseModel):
    """Bytes that a project holds, named by their sha256. The bytes are stored once for all."""

    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="artifacts")
    digest = models.CharField(max_length=64)
    size = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "digest"], name="artifact_unique"),
            models.CheckConstraint(name="artifact_size", condition=Q(size__gte=0)),
        ]
        indexes = [models.Index(fields=["digest"], name="artifact_digest")]


class Upload(BaseModel):
    """Bytes on their way in: resumable by offset until finished, then an artifact."""

    project = models.ForeignKey("projects.Project", models.CASCADE, related_name="uploads")
    holder = models.UUIDField()  # the user or node that may write
    filename = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64, blank=True)  # declared; "" if the sender cannot know
    artifact = models.ForeignKey(Artifact, models.SET_NULL, null=True, related_name="+")
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()


class Damage(BaseModel):
    """Stored bytes that are not what their name says, found by the scrubber and set aside."""

    digest = models.CharField(max_length=64, unique=True)


class Scrub(models.Model):
    """How far the scrubber has come; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    through = models.CharField(max_length=64, blank=True)  # the last digest that was read
    began_at = models.DateTimeField()  # of this round
    ended_at = models.DateTimeField(null=True)  # of the last whole round
