"""Models, their versions and what was measured on them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction

from agents.protocol.results import EvaluationResult, Signature
from agents.protocol.specs import FileRef
from apps.artifacts import filesets, names, paths
from apps.audit import services as audit
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError
from apps.common.events import publish
from apps.common.jsonb import storable
from apps.projects.models import Project
from apps.registry import selectors
from apps.registry.events import ModelVersionRegistered
from apps.registry.models import Evaluation, Model, ModelVersion


class SignatureIncomplete(DomainError):
    """The signature leaves out what a caller of the model must know."""

    status = 422


class WeightsMissing(DomainError):
    """The signature names weights that are not among the files."""

    status = 422


class WeightsNotSafetensors(DomainError):
    """Weights in a format that could hold code."""

    status = 422


@transaction.atomic
def register_version(
    *,
    project: Project,
    model_name: str,
    run_id: UUID | None,
    files: Sequence[FileRef],
    signature: Signature,
    actor: Actor,
    at: datetime,
) -> ModelVersion:
    """Make a version of these files, whose bytes the project must hold; a run makes at most one."""
    names.check(model_name)
    checked = filesets.checked(project, files)
    _check_signature(signature, checked)
    model = _model(project, model_name, actor=actor)
    if run_id and (version := selectors.version_of_run(run_id)):
        return version
    newest = model.versions.order_by("-number").first()
    version = ModelVersion.objects.create(
        model=model,
        number=newest.number + 1 if newest else 1,
        run_id=run_id,
        files=filesets.rows(checked),
        size=sum(file.size for file in checked),
        signature=storable(msgspec.to_builtins(signature)),
    )
    audit.record(
        actor,
        "model.register",
        version,
        project=project,
        model=model.name,
        number=version.number,
        manifest_sha256=filesets.manifest_sha256(checked),
    )
    publish(ModelVersionRegistered(model_id=model.id, version_id=version.id, project_id=project.id))
    return version


@transaction.atomic
def describe_model(*, model_id: UUID, description: str, actor: Actor) -> Model:
    """Say what a model is for; the same words change nothing."""
    model = Model.objects.select_for_update().get(pk=model_id)
    if description != model.description:
        model.description = description
        model.save(update_fields=["description"])
        audit.record(actor, "model.describe", model, name=model.name)
    return model


@transaction.atomic
def record_evaluation(
    *,
    version: ModelVersion,
    run_id: UUID | None,
    dataset_version_id: UUID,
    result: EvaluationResult,
    at: datetime,
    dataset: str = "",
    pictures: Sequence[FileRef] = (),
    actor: Actor = SYSTEM,
) -> Evaluation:
    """Keep what was measured on one split of held-out data; a run's repeat changes nothing.

    ``pictures`` are what the examples name by path; the project must hold their bytes.
    """
    project = version.model.project
    kept = filesets.checked(project, list(pictures)) if pictures else []
    measured = {
        "dataset": dataset,
        "pictures": filesets.rows(kept),
        "samples": result.samples,
        "metrics": storable(result.metrics),
        "detail": storable(
            {
                "per_class": result.per_class,
                "confusion": result.confusion,
                "labels": result.labels,
                "examples": [
                    {
                        "path": paths.composed(example.path),
                        "truth": example.truth,
                        "predicted": example.predicted,
                        "score": example.score,
                    }
                    for example in result.examples
                ],
            }
        ),
    }
    evaluation, created = Evaluation.objects.get_or_create(
        version=version,
        run_id=run_id,
        dataset_version_id=dataset_version_id,
        split=result.split,
        defaults=measured,
    )
    if created:
        audit.record(
            actor,
            "model.evaluate",
            evaluation,
            project=project,
            model=version.model.name,
            number=version.number,
            dataset=dataset,
            split=result.split,
        )
    return evaluation


def _check_signature(signature: Signature, files: Sequence[FileRef]) -> None:
    for field in ("task", "inputs", "outputs", "weights"):
        if not getattr(signature, field):
            raise SignatureIncomplete(field=field)
    if paths.composed(signature.weights) not in {file.path for file in files}:
        raise WeightsMissing(weights=signature.weights)
    if not signature.weights.endswith(".safetensors"):
        raise WeightsNotSafetensors(weights=signature.weights)


def _model(project: Project, name: str, *, actor: Actor) -> Model:
    """The model of this name, locked, so that its versions are numbered one after another."""
    model, created = Model.objects.select_for_update().get_or_create(project=project, name=name)
    if created:
        audit.record(actor, "model.create", model, name=name)
    return model
