from django.db import models

from apps.common.models import BaseModel


class Role(models.TextChoices):
    """What a member may do; each may do what the ones before it may."""

    VIEWER = "viewer"
    MEMBER = "member"
    MAINTAINER = "maintainer"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Organisation(BaseModel):
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)


class Project(BaseModel):
    """Where a team's data, jobs and models live; nothing is shared between projects."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="projects")
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)


class Membership(BaseModel):
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_unique")
        ]
