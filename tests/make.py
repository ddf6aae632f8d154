"""Plain builders: what a test needs to exist, with nothing it does not care about."""

from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from apps.accounts.models import User
from apps.artifacts import storage
from apps.artifacts.models import Artifact
from apps.projects.models import Membership, Organisation, Project, Role

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
_numbers = count(1)


def user(**fields: object) -> User:
    return User.objects.create(**{"username": f"user-{next(_numbers)}", **fields})


def project(*, owner: User | None = None, **fields: object) -> Project:
    number = next(_numbers)
    organisation, _ = Organisation.objects.get_or_create(slug="tests", defaults={"name": "Tests"})
    made = Project.objects.create(
        **{
            "organisation": organisation,
            "slug": f"project-{number}",
            "name": f"Project {number}",
            **fields,
        }
    )
    if owner:
        member(made, owner, Role.OWNER)
    return made


def member(project: Project, user: User, role: Role = Role.MEMBER) -> Membership:
    return Membership.objects.create(project=project, user=user, role=role)


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
