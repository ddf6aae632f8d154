"""Plain builders: the smallest valid thing of each kind, with what a test cares about named."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.accounts.scopes import Scope
from apps.common.actors import SYSTEM
from apps.common.ids import uuid7
from apps.projects.models import Membership, Organisation, Project, Role

PASSWORD = "correct horse battery staple"


def user(username: str = "", *, is_operator: bool = False, password: str | None = None) -> User:
    """A person; without a password nobody can sign in with one."""
    return accounts.create_user(
        username=username or f"user-{uuid7().hex[-12:]}",
        is_operator=is_operator,
        password=password,
        actor=SYSTEM,
        at=timezone.now(),
    )


def project(slug: str = "", *, owner: User | None = None) -> Project:
    organisation, _ = Organisation.objects.get_or_create(slug="default", defaults={"name": "D"})
    slug = slug or f"project-{uuid7().hex[-12:]}"
    made = Project.objects.create(organisation=organisation, slug=slug, name=slug)
    if owner:
        member(made, user=owner, role=Role.OWNER)
    return made


def member(project: Project, *, user: User | None = None, role: Role = Role.MEMBER) -> User:
    """A person in a project."""
    person = user or _somebody()
    Membership.objects.create(project=project, user=person, role=role)
    return person


def _somebody() -> User:
    return user()


def bearer(user: User, *scopes: Scope) -> dict[str, str]:
    """Request headers with a fresh token of a person, which reaches as far as they do."""
    every = list(Scope) if user.is_operator else [Scope.READ, Scope.WRITE]
    now = timezone.now()
    _, text = accounts.create_token(
        user=user,
        name="test",
        scopes=scopes or every,
        expires_at=now + timedelta(hours=1),
        actor=user.actor,
        at=now,
    )
    return {"Authorization": f"Bearer {text}"}


def run_bearer(project: Project, *, run_id: UUID | None = None) -> dict[str, str]:
    """Request headers with the token of a run in a project."""
    now = timezone.now()
    text = accounts.create_run_token(
        run_id=run_id or uuid7(),
        project_id=project.id,
        expires_at=now + timedelta(hours=1),
        at=now,
    )
    return {"Authorization": f"Bearer {text}"}
