from django.db import models

from apps.common.models import BaseModel


class Dataset(BaseModel):
    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="dataset_name_unique")
        ]


class VersionState(models.TextChoices):
    IMPORTING = "importing"
    READY = "ready"
    FAILED = "failed"


class DatasetVersion(BaseModel):
    """Immutable files and what an import found out about them."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey("self", models.SET_NULL, null=True, related_name="children")
    files = models.JSONField()  # of FileRef, sorted by path
    manifest_sha256 = models.CharField(max_length=64)  # of the canonical JSON of `files`
    size = models.BigIntegerField()
    file_count = models.PositiveIntegerField()
    # against the parent: how many files were added, removed and changed; null without a parent
    changes = models.JSONField(null=True)
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    state = models.CharField(
        max_length=16, choices=VersionState, default=VersionState.IMPORTING.value
    )
    settled_at = models.DateTimeField(null=True)  # when the import ended
    reason = models.JSONField(null=True)  # Reason: why it failed
    kind = models.CharField(max_length=32, blank=True)  # of the Profile
    profile = models.JSONField(null=True)  # Profile; its thumbnails' paths are of `thumbnails`
    thumbnails = models.JSONField(default=list)  # of FileRef

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_unique")
        ]
