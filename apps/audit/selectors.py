from uuid import UUID

from django.db.models import QuerySet

from apps.audit.models import Entry


def entries_about(object_id: UUID) -> QuerySet[Entry]:
    """What was done to one object, oldest first."""
    return Entry.objects.filter(object_id=object_id).order_by("seq")


def entries_of(project_id: UUID) -> QuerySet[Entry]:
    """What was done in a project, to be ordered by the asker."""
    return Entry.objects.filter(project_id=project_id)
