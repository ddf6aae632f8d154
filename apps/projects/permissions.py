"""Whose project it is and what a member may do there. Every REST door starts here."""

from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from django.db import models
from django.utils.functional import cached_property
from rest_framework.request import Request

from apps.accounts.permissions import (
    OPERATOR,
    SIGNED_IN,
    DeclaredViewSet,
    InstallationViewSet,
    actor_of,
    person_of,
    principal_of,
)
from apps.common.errors import NotFound
from apps.projects import selectors
from apps.projects.models import Project, Role
from apps.projects.selectors import RoleNeeded, Standing

__all__ = [
    "MAINTAINER",
    "MEMBER",
    "OPERATOR",
    "OWNER",
    "SIGNED_IN",
    "VIEWER",
    "InstallationViewSet",
    "ProjectViewSet",
    "RoleNeeded",
    "actor_of",
    "person_of",
    "principal_of",
]

VIEWER = Role.VIEWER
MEMBER = Role.MEMBER
MAINTAINER = Role.MAINTAINER
OWNER = Role.OWNER

M = TypeVar("M", bound=models.Model)


class ProjectViewSet(DeclaredViewSet[M], Generic[M]):
    """A noun of one project, under `projects/<slug:slug>/`: `needs = {action: Role}`.

    To a stranger the project is not there; a member lacking the role is told which it takes.
    """

    needs: ClassVar[Mapping[str, Role]]

    def check_needs(self, request: Request, needed: Role) -> None:
        if self.standing.role.rank < needed.rank:
            raise RoleNeeded(role=needed.value, yours=self.standing.role.value)

    @cached_property
    def standing(self) -> Standing:
        """Who asks, seen from the project."""
        if getattr(self, "swagger_fake_view", False):
            return Standing(Project(), VIEWER)
        standing = selectors.standing(principal_of(self.request), self.kwargs["slug"])
        if standing is None:
            raise NotFound
        return standing

    @property
    def project(self) -> Project:
        return self.standing.project
