"""Plain builders: what a test needs to exist, with nothing it does not care about."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.accounts.scopes import Scope
from apps.artifacts import storage
from apps.artifacts.models import Artifact
from apps.common.ids import uuid7
from apps.fleet.models import Contact, Node
from apps.projects.models import Membership, Organisation, Project, Role

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
_numbers = count(1)


def user(username: str = "", *, password: str | None = None, **fields: object) -> User:
    """A person; without a password nobody can sign in with one."""
    made = User(**{"username": username or f"user-{next(_numbers)}", **fields})
    made.set_password(password)
    made.save()
    return made


def project(slug: str = "", *, owner: User | None = None, **fields: object) -> Project:
    slug = slug or f"project-{next(_numbers)}"
    organisation, _ = Organisation.objects.get_or_create(slug="tests", defaults={"name": "Tests"})
    made = Project.objects.create(
        **{"organisation": organisation, "slug": slug, "name": slug, **fields}
    )
    if owner:
        member(made, owner, Role.OWNER)
    return made


def member(project: Project, person: User | None = None, role: Role = Role.MEMBER) -> User:
    """A person in a project."""
    person = person or user()
    Membership.objects.create(project=project, user=person, role=role)
    return person


def bearer(user: User, *scopes: Scope) -> dict[str, str]:
    """Request headers with a fresh token of a person, which reaches as far as they do."""
    every = list(Scope) if user.is_operator else [Scope.READ, Scope.WRITE]
    now = timezone.now()
    _, text = accounts.create_token(
        user=user,
        name="test",
        scopes=scopes or every,
        expires_at=now + timedelta(days=30),
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


def artifact(project: Project, data: bytes) -> Artifact:
    """Bytes that the project holds, and the store with it."""
    incoming = storage.store().receive(uuid4())
    try:
        incoming.write(data)
        sealed = incoming.seal("")
    finally:
        incoming.close()
    return Artifact.objects.get_or_create(
        project=project, digest=sealed.digest, defaults={"size": sealed.size}
    )[0]


def node(**fields: object) -> Node:
    """A node that takes work: heard of, not cordoned, 8 CPUs and 16 GiB."""
    return Node.objects.create(
        **{
            "name": f"node-{next(_numbers)}",
            "public_key": bytes(32),
            "contact": Contact.FRESH.value,
            "last_contact_at": NOON,
            "cpu_millis": 8000,
            "memory_bytes": 16 << 30,
            **fields,
        }
    )
