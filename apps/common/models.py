from uuid import UUID

from django.db import models

from apps.common.ids import uuid7


class BaseModel(models.Model):
    """A row with an identifier that sorts by age."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class IdempotencyKey(BaseModel):
    """An answer already given to a create request, so that asking twice makes one thing."""

    holder = models.UUIDField()  # user or run that asked
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64)  # of method, path and body
    status = models.PositiveSmallIntegerField(null=True)  # null: still being worked on
    body = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["holder", "key"], name="idempotency_key_unique")
        ]


class Installation(models.Model):
    """Which installation this is: a name that a restored backup keeps, in one row."""

    singleton = models.BooleanField(primary_key=True, default=True)
    id = models.UUIDField(default=uuid7, unique=True, editable=False)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="installation_is_one", condition=models.Q(singleton=True))
        ]


def installation_id() -> UUID:
    """The name of this installation, chosen when it is first asked for."""
    row, _ = Installation.objects.get_or_create(singleton=True)
    return row.id
