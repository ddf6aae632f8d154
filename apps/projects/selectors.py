from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.principals import Principal, RunPrincipal
from apps.common.errors import DomainError
from apps.projects.models import Membership, Project, Role


class RoleNeeded(DomainError):
    """A member of the project, but not in a role that may do this."""

    status = 403


@dataclass(frozen=True)
class Standing:
    """A project and what somebody is in it."""

    project: Project
    role: Role


def standing(principal: Principal, slug: str) -> Standing | None:
    """What somebody is in a project; None for a stranger and for a project that is not there."""
    if isinstance(principal, RunPrincipal):
        project = Project.objects.filter(slug=slug, pk=principal.project_id).first()
        return Standing(project, Role.MEMBER) if project else None
    membership = (
        Membership.objects.select_related("project").filter(user=principal, project__slug=slug)
    ).first()
    return Standing(membership.project, Role(membership.role)) if membership else None


def role_of(principal: Principal | AnonymousUser, project_id: UUID) -> Role | None:
    """What somebody is in a project; None for a stranger."""
    if isinstance(principal, RunPrincipal):
        return Role.MEMBER if principal.project_id == project_id else None
    if not isinstance(principal, User):
        return None
    role = (
        Membership.objects.filter(user=principal, project_id=project_id)
        .values_list("role", flat=True)
        .first()
    )
    return Role(role) if role else None


def may_see(
    principal: Principal | AnonymousUser, project_id: UUID, role: Role = Role.VIEWER
) -> bool:
    """Whether somebody is at least this in a project."""
    held = role_of(principal, project_id)
    return held is not None and held.rank >= role.rank


def standings(user: User) -> list[Standing]:
    """Every project a person is in, by name."""
    memberships = Membership.objects.select_related("project__organisation").filter(user=user)
    return [
        Standing(membership.project, Role(membership.role))
        for membership in memberships.order_by("project__name", "project__slug")
    ]


def projects_of(user: User) -> QuerySet[Project]:
    return Project.objects.select_related("organisation").filter(memberships__user=user)


def members_of(project: Project) -> QuerySet[Membership]:
    return Membership.objects.select_related("user").filter(project=project)
