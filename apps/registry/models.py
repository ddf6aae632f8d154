from django.db import models

from apps.common.models import BaseModel


class Model(BaseModel):
    project = models.ForeignKey("projects.Project", models.PROTECT, related_name="models")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="model_name_unique")
        ]


class ModelVersion(BaseModel):
    """Weights with the signature that says how to call them. What they came from is in `jobs`."""

    model = models.ForeignKey(Model, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    run_id = models.UUIDField(unique=True, null=True)  # made by; null: brought from outside
    files = models.JSONField()  # of FileRef
    size = models.BigIntegerField()
    signature = models.JSONField()  # Signature

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="model_version_unique")
        ]


class Evaluation(BaseModel):
    """Metrics of a version on held-out data."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="evaluations")
    run_id = models.UUIDField(null=True)
    dataset_version_id = models.UUIDField()
    split = models.CharField(max_length=64)
    samples = models.PositiveIntegerField()
    metrics = models.JSONField()
    dataset = models.CharField(max_length=120, blank=True)  # name@number, for people
    detail = models.JSONField(default=dict)  # per class, confusion, labels, examples
    pictures = models.JSONField(default=list)  # of FileRef: what the examples' paths name

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "run_id", "dataset_version_id", "split"],
                name="evaluation_unique",
            )
        ]
