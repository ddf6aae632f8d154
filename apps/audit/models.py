from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from apps.common.models import BaseModel


class Entry(BaseModel):
    """Who did what to which object; written in the transaction that did it, never changed."""

    seq = models.BigIntegerField(unique=True)  # from the sequence audit_seq
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    action = models.CharField(max_length=64)  # "job.submit"
    object_type = models.CharField(max_length=32)
    object_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "-seq"], name="audit_project"),
            models.Index(fields=["object_id", "seq"], name="audit_object"),
        ]
