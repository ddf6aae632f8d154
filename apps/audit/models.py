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


class Link(models.Model):
    """An entry's place in the chain, given by the sweep; the hash holds all that is before it."""

    number = models.BigIntegerField(primary_key=True)  # from 1, without gaps
    entry = models.OneToOneField(Entry, models.PROTECT, related_name="link")
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    chained_at = models.DateTimeField()


class Checkpoint(models.Model):
    """The installation's signature under the chain as it was; also a line of a file."""

    index = models.BigIntegerField(primary_key=True)  # from 1, without gaps
    number = models.BigIntegerField(unique=True)  # of the last entry it vouches for
    hash = models.CharField(max_length=64)
    signed_at = models.DateTimeField()
    public_key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)


class Verification(models.Model):
    """What the last look at the whole chain found; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField()
    entries = models.BigIntegerField()
    fault = models.CharField(max_length=32, blank=True)  # the first one's code
    number = models.BigIntegerField(default=0)  # of the entry there
