"""Everything that changes projects and who is in them."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts import selectors as accounts
from apps.accounts.events import AccessChanged
from apps.accounts.models import User
from apps.audit import services as audit
from apps.common import events
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, NotFound
from apps.projects.events import MembersChanged
from apps.projects.models import Membership, Organisation, Project, Role
from apps.projects.selectors import RoleNeeded

DEFAULT = "default"


class SlugTaken(DomainError):
    """Another project has this short name."""


class UserUnknown(DomainError):
    """Nobody has this name."""

    status = 422


class MemberAlready(DomainError):
    """The person is a member; a role is changed, not given twice."""


class RoleAboveYours(DomainError):
    """Nobody gives or takes a role above their own."""

    status = 403


class LastOwner(DomainError):
    """A project always has an owner."""


@transaction.atomic
def ensure_default(*, owner: User, at: datetime) -> Project:
    """The organisation and project that every installation starts with; the owner is in it."""
    organisation, _ = Organisation.objects.get_or_create(slug=DEFAULT, defaults={"name": "Default"})
    project, made = Project.objects.get_or_create(
        slug=DEFAULT, defaults={"organisation": organisation, "name": "Default"}
    )
    if made:
        audit.record(SYSTEM, "project.create", project, project=project, slug=DEFAULT)
    if not Membership.objects.filter(project=project, role=Role.OWNER).exists():
        Membership.objects.update_or_create(
            project=project, user=owner, defaults={"role": Role.OWNER}
        )
        _say(SYSTEM, "member.add", project, owner, role=Role.OWNER.value)
    return project


@transaction.atomic
def create_project(*, slug: str, name: str, owner: User, actor: Actor, at: datetime) -> Project:
    """A new project whose owner is the one who asks."""
    organisation, _ = Organisation.objects.get_or_create(slug=DEFAULT, defaults={"name": "Default"})
    try:
        with transaction.atomic():
            project = Project.objects.create(organisation=organisation, slug=slug, name=name)
    except IntegrityError as error:
        raise SlugTaken(slug=slug) from error
    Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    audit.record(actor, "project.create", project, project=project, slug=slug)
    return project


@transaction.atomic
def add_member(
    *, project: Project, username: str, role: Role, by: Role, actor: Actor, at: datetime
) -> Membership:
    """Let a person into the project, in a role not above the one of who lets them in (``by``)."""
    _check_reach(by, role)
    user = accounts.user_named(username)
    if user is None:
        raise UserUnknown(username=username)
    membership, made = Membership.objects.get_or_create(
        project=project, user=user, defaults={"role": role}
    )
    if not made:
        raise MemberAlready(username=username)
    _say(actor, "member.add", project, user, role=role.value)
    return membership


@transaction.atomic
def change_role(
    *, project: Project, user_id: UUID, role: Role, by: Role, actor: Actor, at: datetime
) -> Membership:
    """Give a member another role; the last owner stays one."""
    membership = _locked(project, user_id)
    before = Role(membership.role)
    _check_reach(by, before)
    _check_reach(by, role)
    if before is Role.OWNER and role is not Role.OWNER:
        _check_not_last_owner(project)
    membership.role = role
    membership.save(update_fields=["role"])
    _say(actor, "member.role", project, membership.user, role=role.value, before=before.value)
    return membership


@transaction.atomic
def remove_member(*, project: Project, user_id: UUID, by: Role, actor: Actor, at: datetime) -> None:
    """Take a member out; anybody may go by themselves, except the last owner."""
    membership = _locked(project, user_id)
    role = Role(membership.role)
    if actor.id != user_id:
        if by.rank < Role.MAINTAINER.rank:
            raise RoleNeeded(role=Role.MAINTAINER.value, yours=by.value)
        _check_reach(by, role)
    if role is Role.OWNER:
        _check_not_last_owner(project)
    membership.delete()
    _say(actor, "member.remove", project, membership.user, role=role.value)


def _locked(project: Project, user_id: UUID) -> Membership:
    # the project's row is what two owners who leave at once meet at
    Project.objects.select_for_update().get(pk=project.pk)
    membership = (
        Membership.objects.select_related("user").filter(project=project, user_id=user_id).first()
    )
    if membership is None:
        raise NotFound
    return membership


def _check_reach(by: Role, role: Role) -> None:
    if by.rank < role.rank:
        raise RoleAboveYours(role=role.value, yours=by.value)


def _check_not_last_owner(project: Project) -> None:
    if Membership.objects.filter(project=project, role=Role.OWNER).count() < 2:
        raise LastOwner


def _say(actor: Actor, action: str, project: Project, user: User, **detail: str) -> None:
    audit.record(actor, action, user, project=project, username=user.username, **detail)
    events.publish(MembersChanged(project_id=project.id))
    events.publish(AccessChanged(holder=user.id))
