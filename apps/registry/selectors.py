from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from agents.protocol.specs import FileRef
from apps.artifacts import filesets, names
from apps.artifacts.names import uuid_of
from apps.common.errors import NotFound
from apps.projects.models import Project
from apps.registry.models import Evaluation, Model, ModelVersion


class ModelUnknown(NotFound):
    """No model of the project is called that."""


class ModelVersionUnknown(NotFound):
    """The model has no version of that number."""


def models_in(project: Project) -> QuerySet[Model]:
    """The project's models, each with its newest version as the one item of ``newest``."""
    newest = _versions().order_by("model_id", "-number").distinct("model_id")
    return Model.objects.filter(project=project).prefetch_related(
        Prefetch("versions", newest, to_attr="newest")
    )


def model(project: Project, ref: str) -> Model:
    """A model by name or identifier."""
    identifier = uuid_of(ref)
    if identifier or names.possible(ref):
        wanted = Q(id=identifier) if identifier else Q(name=ref)
        if found := models_in(project).filter(wanted).first():
            return found
    raise ModelUnknown(model=ref)


def numbered(project: Project, ref: str, number: int) -> ModelVersion:
    """One version of a model that is named or identified."""
    model_ = model(project, ref)
    found = _versions().filter(model=model_, number=number).first()
    if found is None:
        raise ModelVersionUnknown(model=model_.name, number=number)
    return found


def version(project: Project, ref: str) -> ModelVersion:
    """A version by identifier, by ``name@3``, or by ``name`` alone for the newest."""
    if identifier := uuid_of(ref):
        if found := _versions().filter(model__project=project, id=identifier).first():
            return found
        raise ModelUnknown(model=ref)
    name, at, number = ref.partition("@")
    if at:
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise ModelVersionUnknown(model=name, number=number)
        return numbered(project, name, int(number))
    newest = _versions().filter(model=model(project, name)).order_by("-number").first()
    if newest is None:
        raise ModelUnknown(model=name)
    return newest


def versions_of(model: Model) -> QuerySet[ModelVersion]:
    """All versions with their evaluations, newest first."""
    return _versions().filter(model=model).order_by("-number")


def version_of_run(run_id: UUID) -> ModelVersion | None:
    """The version that a run made, if it made one."""
    return ModelVersion.objects.select_related("model").filter(run_id=run_id).first()


def files_of(version: ModelVersion) -> list[FileRef]:
    return filesets.refs(version.files)


def _versions() -> QuerySet[ModelVersion]:
    evaluations = Evaluation.objects.order_by("created_at", "id")
    return ModelVersion.objects.select_related("model").prefetch_related(
        Prefetch("evaluations", evaluations)
    )
