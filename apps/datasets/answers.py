"""Which datasets need somebody, or are called like a text."""

from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef

from agents.protocol.base import Reason
from apps.common import reasons
from apps.common.answers import (
    MOST_ITEMS,
    Found,
    HasId,
    Item,
    Subject,
    attends,
    called,
    finds,
    names,
)
from apps.datasets.models import Dataset, DatasetVersion, VersionState


@attends
def failed_imports(project: HasId, at: datetime) -> Iterator[Item]:
    """Versions that could not be imported and that no other has come after."""
    later = DatasetVersion.objects.filter(
        dataset=OuterRef("dataset"), number__gt=OuterRef("number")
    )
    versions = DatasetVersion.objects.filter(
        ~Exists(later), dataset__project_id=project.id, state=VersionState.FAILED
    ).select_related("dataset")
    newest = versions.defer("files", "profile").order_by("-settled_at")[:MOST_ITEMS]
    for version in newest:
        name = f"{version.dataset.name}@{version.number}"
        yield Item(
            kind="import_failed",
            severity="error",
            since=version.settled_at or version.created_at,
            subject=Subject(type="dataset", id=version.dataset_id, name=name),
            reason=reasons.from_row(version.reason) or Reason(code="import_failed"),
            action="open_dataset",
        )


@finds
def datasets_called(project: HasId, text: str) -> list[Found]:
    rows = called(Dataset.objects.filter(project_id=project.id), text)
    return [Found(type="dataset", id=row.id, name=row.name) for row in rows]


@names("dataset")
def names_of_datasets(ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(Dataset.objects.filter(id__in=ids).values_list("id", "name"))


@names("datasetversion")
def names_of_versions(ids: Collection[UUID]) -> dict[UUID, str]:
    rows = DatasetVersion.objects.filter(id__in=ids)
    numbered = rows.values_list("id", "dataset__name", "number")
    return {id: f"{name}@{number}" for id, name, number in numbered}
