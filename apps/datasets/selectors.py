from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from agents.protocol.specs import FileRef
from apps.artifacts import filesets, names
from apps.artifacts.names import uuid_of
from apps.common.errors import NotFound
from apps.datasets.models import Dataset, DatasetVersion, VersionState
from apps.projects.models import Project


class DatasetUnknown(NotFound):
    """No dataset of the project is called that."""


class DatasetVersionUnknown(NotFound):
    """The dataset has no version of that number."""


def datasets_in(project: Project) -> QuerySet[Dataset]:
    """The project's datasets, each with its newest version as the one item of ``newest``."""
    newest = _versions().order_by("dataset_id", "-number").distinct("dataset_id")
    return Dataset.objects.filter(project=project).prefetch_related(
        Prefetch("versions", newest, to_attr="newest")
    )


def dataset(project: Project, ref: str) -> Dataset:
    """A dataset by name or identifier."""
    identifier = uuid_of(ref)
    if identifier or names.possible(ref):
        wanted = Q(id=identifier) if identifier else Q(name=ref)
        if found := datasets_in(project).filter(wanted).first():
            return found
    raise DatasetUnknown(dataset=ref)


def versions_of(dataset: Dataset) -> QuerySet[DatasetVersion]:
    """All versions, newest first, without their lists of files."""
    return _versions().filter(dataset=dataset).order_by("-number")


def numbered(project: Project, ref: str, number: int) -> DatasetVersion:
    """One version of a dataset that is named or identified."""
    dataset_ = dataset(project, ref)
    found = dataset_.versions.select_related("dataset", "created_by").filter(number=number).first()
    if found is None:
        raise DatasetVersionUnknown(dataset=dataset_.name, number=number)
    return found


def version(project: Project, ref: str) -> DatasetVersion:
    """A version by identifier, by ``name@3``, or by ``name`` alone for the newest not failed."""
    versions = DatasetVersion.objects.filter(dataset__project=project).select_related("dataset")
    if identifier := uuid_of(ref):
        if found := versions.filter(id=identifier).first():
            return found
        raise DatasetUnknown(dataset=ref)
    name, at, number = ref.partition("@")
    if at:
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise DatasetVersionUnknown(dataset=name, number=number)
        return numbered(project, name, int(number))
    newest = versions.filter(dataset=dataset(project, name)).order_by("-number")
    return newest.exclude(state=VersionState.FAILED).first() or newest[0]


def version_by_id(version_id: UUID) -> DatasetVersion:
    """A version, for those who have its identifier from us; raises ``NotFound``."""
    found = DatasetVersion.objects.select_related("dataset__project").filter(id=version_id).first()
    if found is None:
        raise NotFound
    return found


def files_of(version: DatasetVersion) -> list[FileRef]:
    return filesets.refs(version.files)


def awaiting_import() -> QuerySet[DatasetVersion]:
    """Versions nobody has looked into yet, oldest first; for those who must not miss one."""
    return DatasetVersion.objects.filter(state=VersionState.IMPORTING).order_by("created_at")


def _versions() -> QuerySet[DatasetVersion]:
    return DatasetVersion.objects.defer("files").select_related("created_by")
