"""Which models are called like a text."""

from collections.abc import Collection
from uuid import UUID

from apps.common.answers import Found, HasId, called, finds, names
from apps.registry.models import Evaluation, Model, ModelVersion


@finds
def models_called(project: HasId, text: str) -> list[Found]:
    rows = called(Model.objects.filter(project_id=project.id), text)
    return [Found(type="model", id=row.id, name=row.name) for row in rows]


@names("model")
def names_of_models(ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(Model.objects.filter(id__in=ids).values_list("id", "name"))


@names("modelversion")
def names_of_versions(ids: Collection[UUID]) -> dict[UUID, str]:
    rows = ModelVersion.objects.filter(id__in=ids).values_list("id", "model__name", "number")
    return {id: f"{name}@{number}" for id, name, number in rows}


@names("evaluation")
def names_of_evaluations(ids: Collection[UUID]) -> dict[UUID, str]:
    """Of the versions that were measured."""
    rows = Evaluation.objects.filter(id__in=ids)
    measured = rows.values_list("id", "version__model__name", "version__number")
    return {id: f"{name}@{number}" for id, name, number in measured}
