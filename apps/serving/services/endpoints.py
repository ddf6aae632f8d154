"""What is wanted: endpoints and what they are to serve."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from agents.protocol.base import Resources
from apps.accounts.models import User
from apps.artifacts import names
from apps.audit import services as audit
from apps.common.actors import Actor
from apps.common.errors import DomainError, FieldRefusal, InputRefused
from apps.common.guards import guard_deletion
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.serving import selectors, specs
from apps.serving.models import Deployment, Endpoint
from apps.serving.services import locks
from apps.serving.services import replicas as actual
from apps.workloads import services as workloads


class EndpointNameTaken(DomainError):
    """Another endpoint of the project is called that."""


class NothingToReturnTo(DomainError):
    """No earlier deployment differs from what is wanted now."""


class DeploymentUnknown(DomainError):
    """The endpoint has no deployment of that number."""

    status = 422


class VersionServed(DomainError):
    """An endpoint serves the version, or may return to it."""


@transaction.atomic
def create_endpoint(
    *,
    project: Project,
    name: str,
    model: str,
    replicas: int,
    resources: Mapping[str, Any],
    max_batch: int,
    max_queue: int,
    timeout_seconds: float,
    user: User | None,
    actor: Actor,
    at: datetime,
) -> Endpoint:
    """A new address for a model version; its replicas are on their way when this returns."""
    refusals = []
    try:
        names.check(name)
    except names.NameRefused as error:
        refusals.append(FieldRefusal("name", error.code, error.params))
    else:
        if Endpoint.objects.filter(project=project, name=name, deleted_at=None).exists():
            refusals.append(FieldRefusal("name", EndpointNameTaken.code, {"name": name}))
    content = _content(project, model, resources, refusals)
    if refusals or content is None:
        raise InputRefused(refusals)
    try:
        with transaction.atomic():
            endpoint = Endpoint.objects.create(
                project=project,
                name=name,
                created_by=user,
                replicas_wanted=replicas,
                max_queue=max_queue,
                timeout_seconds=timeout_seconds,
            )
    except IntegrityError as error:  # another one was quicker
        refusal = FieldRefusal("name", EndpointNameTaken.code, {"name": name})
        raise InputRefused([refusal]) from error
    version, row = content
    _want(endpoint, version, row, max_batch, user=user, at=at)
    audit.record(
        actor,
        "endpoint.create",
        endpoint,
        name=name,
        model=_ref(version),
        version=str(version.id),
        replicas=replicas,
    )
    actual.reconcile(endpoint, actor=actor, at=at)
    locks.say_moved(endpoint)
    return endpoint


@transaction.atomic
def deploy(
    *,
    endpoint_id: UUID,
    model: str,
    resources: Mapping[str, Any] | None,
    max_batch: int | None,
    user: User | None,
    actor: Actor,
    at: datetime,
) -> Endpoint:
    """Want another version, or the same with other resources: a rollout begins.

    What is left out stays as it is.
    """
    endpoint = locks.lock(endpoint_id)
    before = endpoint.deployment
    assert before is not None
    refusals: list[FieldRefusal] = []
    given = before.resources if resources is None else before.resources | dict(resources)
    content = _content(endpoint.project, model, given, refusals)
    if content is None:
        raise InputRefused(refusals)
    version, row = content
    deployment = _want(endpoint, version, row, max_batch or before.max_batch, user=user, at=at)
    audit.record(
        actor,
        "endpoint.deploy",
        endpoint,
        name=endpoint.name,
        number=deployment.number,
        model=_ref(version),
        version=str(version.id),
    )
    actual.reconcile(endpoint, actor=actor, at=at)
    locks.say_moved(endpoint)
    return endpoint


@transaction.atomic
def roll_back(
    *, endpoint_id: UUID, number: int | None, user: User | None, actor: Actor, at: datetime
) -> Endpoint:
    """Want what an earlier deployment had; by itself, the newest that differs and was not given
    up."""
    endpoint = locks.lock(endpoint_id)
    current = endpoint.deployment
    assert current is not None
    earlier = selectors.deployments_of(endpoint)
    if number is not None:
        target = earlier.filter(number=number).first()
        if target is None:
            refusal = DeploymentUnknown(endpoint=endpoint.name, number=number)
            raise InputRefused([FieldRefusal("deployment", refusal.code, refusal.params)])
    else:
        sound = earlier.filter(number__lt=current.number, given_up_at=None)
        target = next((d for d in sound if _content_of(d) != _content_of(current)), None)
        if target is None:
            raise NothingToReturnTo(endpoint=endpoint.name)
    _check_demand(target.resources, "deployment")
    deployment = _want(
        endpoint, target.version, target.resources, target.max_batch, user=user, at=at
    )
    audit.record(
        actor,
        "endpoint.rollback",
        endpoint,
        name=endpoint.name,
        number=deployment.number,
        returns_to=target.number,
        model=_ref(target.version),
    )
    actual.reconcile(endpoint, actor=actor, at=at)
    locks.say_moved(endpoint)
    return endpoint


@transaction.atomic
def scale(*, endpoint_id: UUID, replicas: int, actor: Actor, at: datetime) -> Endpoint:
    """Want another number of replicas; what was given up is tried again."""
    endpoint = locks.lock(endpoint_id)
    deployment = endpoint.deployment
    assert deployment is not None
    if replicas:
        _check_demand(deployment.resources, "replicas")
    audit.record(
        actor,
        "endpoint.scale",
        endpoint,
        name=endpoint.name,
        replicas=replicas,
        before=endpoint.replicas_wanted,
    )
    endpoint.replicas_wanted = replicas
    endpoint.save(update_fields=["replicas_wanted"])
    deployment.tried_from, deployment.given_up_at, deployment.reason = at, None, None
    deployment.save(update_fields=["tried_from", "given_up_at", "reason"])
    actual.reconcile(endpoint, actor=actor, at=at)
    locks.say_moved(endpoint)
    return endpoint


@transaction.atomic
def set_limits(
    *,
    endpoint_id: UUID,
    max_queue: int | None,
    timeout_seconds: float | None,
    actor: Actor,
    at: datetime,
) -> Endpoint:
    """Change what calls may take; gateways follow at once, replicas with their next start."""
    endpoint = locks.lock(endpoint_id)
    changed: dict[str, Any] = {}
    if max_queue is not None:
        changed["max_queue"] = max_queue
    if timeout_seconds is not None:
        changed["timeout_seconds"] = timeout_seconds
    for field, value in changed.items():
        setattr(endpoint, field, value)
    if changed:
        endpoint.save(update_fields=list(changed))
        audit.record(actor, "endpoint.limits", endpoint, name=endpoint.name, **changed)
        locks.say_moved(endpoint)
    return endpoint


@transaction.atomic
def delete_endpoint(*, endpoint_id: UUID, actor: Actor, at: datetime) -> None:
    """End an endpoint: no calls from now on, its replicas stop, and then its rows go."""
    endpoint = locks.lock(endpoint_id)
    endpoint.deleted_at = at
    endpoint.save(update_fields=["deleted_at"])
    audit.record(actor, "endpoint.delete", endpoint, name=endpoint.name)
    locks.say_moved(endpoint)
    actual.reconcile(endpoint, actor=actor, at=at)


@guard_deletion(ModelVersion)
def keep_while_served(version: ModelVersion) -> None:
    """A version that an endpoint serves, or may return to, is kept."""
    serving = selectors.servings_of(version).order_by("name").first()
    if serving is not None:
        raise VersionServed(model=version.model.name, number=version.number, endpoint=serving.name)


def _content(
    project: Project, model: str, resources: Mapping[str, Any], refusals: list[FieldRefusal]
) -> tuple[ModelVersion, dict[str, Any]] | None:
    """A version and what a replica of it takes; what cannot be taken is added to the refusals."""
    try:
        version = specs.servable(project, model)
    except DomainError as error:
        refusals.append(FieldRefusal("model", error.code, error.params))
        return None
    row = specs.resources_row(specs.default_resources(version), resources)
    try:
        _check_demand(row, "resources")
    except InputRefused as error:
        refusals.extend(error.refusals)
        return None
    return version, row


def _check_demand(row: Mapping[str, Any], field: str) -> None:
    try:
        workloads.check_demand(resources=Resources(**row))
    except workloads.DemandTooLarge as error:
        raise InputRefused([FieldRefusal(field, error.code, error.params)]) from error


def _content_of(deployment: Deployment) -> tuple[UUID, dict[str, Any], int]:
    return deployment.version_id, deployment.resources, deployment.max_batch


def _want(
    endpoint: Endpoint,
    version: ModelVersion,
    resources: Mapping[str, Any],
    max_batch: int,
    *,
    user: User | None,
    at: datetime,
) -> Deployment:
    before = endpoint.deployment
    deployment = Deployment.objects.create(
        endpoint=endpoint,
        number=before.number + 1 if before else 1,
        version=version,
        resources=dict(resources),
        max_batch=max_batch,
        created_by=user,
        tried_from=at,
    )
    endpoint.deployment = deployment
    endpoint.save(update_fields=["deployment"])
    return deployment


def _ref(version: ModelVersion) -> str:
    return f"{version.model.name}@{version.number}"
