from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from apps.common.actors import Actor, ActorKind
from apps.common.ids import uuid7
from apps.common.models import BaseModel


class User(AbstractUser):
    """A person. An operator runs the installation: nodes, people, settings."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    is_operator = models.BooleanField(default=False)
    language = models.CharField(max_length=16, blank=True)

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.USER, self.id, self.username)


class Token(BaseModel):
    """A bearer credential of a person or of a run. Only the hash of its secret is kept."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="tokens")
    run_id = models.UUIDField(null=True)  # of a job's run: what it may touch is in `project_id`
    project_id = models.UUIDField(null=True)
    name = models.CharField(max_length=100)
    secret_sha256 = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)  # of `apps.accounts.scopes.Scope`
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="token_of_user_or_run",
                condition=Q(user__isnull=False, run_id__isnull=True)
                | Q(user__isnull=True, run_id__isnull=False),
            )
        ]
        indexes = [models.Index(fields=["run_id"], name="token_run")]


class SignInLink(BaseModel):
    """A link that signs its user in once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_in_links")
    secret_sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class SignInAttempt(BaseModel):
    """A password tried and not found right, kept for an hour to slow guessing down."""

    username = models.CharField(max_length=150)
    address = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["address", "created_at"], name="sign_in_attempt_recent")]
