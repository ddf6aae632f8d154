"""Everything that changes an endpoint, a deployment, a replica or a key.

Rows are locked in one order: the endpoint, then (inside `workloads`) gangs. Whatever changes what
is wanted also reconciles at once, in the same transaction; the sweep does so again.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from agents.protocol.base import Reason, Resources
from agents.protocol.workloads import WorkloadState
from apps.accounts import credentials
from apps.accounts.models import User
from apps.artifacts import names
from apps.audit import services as audit
from apps.common import reasons
from apps.common.actors import SYSTEM, Actor
from apps.common.errors import DomainError, FieldRefusal, InputRefused, NotFound
from apps.common.events import publish
from apps.common.guards import guard_deletion
from apps.common.sweeps import wake
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.serving import reconciliation, selectors, specs
from apps.serving.events import EndpointMoved
from apps.serving.models import Deployment, Endpoint, Key, Replica, ReplicaState
from apps.serving.selectors import Situation
from apps.workloads import selectors as gangs
from apps.workloads import services as workloads
from apps.workloads.models import Gang

log = logging.getLogger(__name__)

OWNER_KIND = "replica"
PRIORITY = 10  # somebody waits for an answer: before jobs that nobody gave a priority
AT_ONCE = 200  # endpoints looked at together
MISSES = 2  # probes in a row that a ready replica may not answer before it is unreachable
LONGEST_KEY = timedelta(days=365)


class EndpointNameTaken(DomainError):
    """Another endpoint of the project is called that."""


class NothingToReturnTo(DomainError):
    """No earlier deployment differs from what is wanted now."""


class DeploymentUnknown(DomainError):
    """The endpoint has no deployment of that number."""

    status = 422


class KeyLifetimeRefused(DomainError):
    """A key must end in the future, and within the longest lifetime."""

    status = 422


class VersionServed(DomainError):
    """An endpoint serves the version, or may return to it."""


# --- what is wanted ------------------------------------------------------------------------------


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
    _reconcile(endpoint, actor=actor, at=at)
    _say(endpoint)
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
    endpoint = _lock(endpoint_id)
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
    _reconcile(endpoint, actor=actor, at=at)
    _say(endpoint)
    return endpoint


@transaction.atomic
def roll_back(
    *, endpoint_id: UUID, number: int | None, user: User | None, actor: Actor, at: datetime
) -> Endpoint:
    """Want what an earlier deployment had; by itself, the newest that differs and was not given
    up."""
    endpoint = _lock(endpoint_id)
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
    _reconcile(endpoint, actor=actor, at=at)
    _say(endpoint)
    return endpoint


@transaction.atomic
def scale(*, endpoint_id: UUID, replicas: int, actor: Actor, at: datetime) -> Endpoint:
    """Want another number of replicas; what was given up is tried again."""
    endpoint = _lock(endpoint_id)
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
    _reconcile(endpoint, actor=actor, at=at)
    _say(endpoint)
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
    endpoint = _lock(endpoint_id)
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
        _say(endpoint)
    return endpoint


@transaction.atomic
def delete_endpoint(*, endpoint_id: UUID, actor: Actor, at: datetime) -> None:
    """End an endpoint: no calls from now on, its replicas stop, and then its rows go."""
    endpoint = _lock(endpoint_id)
    endpoint.deleted_at = at
    endpoint.save(update_fields=["deleted_at"])
    audit.record(actor, "endpoint.delete", endpoint, name=endpoint.name)
    _say(endpoint)
    _reconcile(endpoint, actor=actor, at=at)


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


# --- making it so --------------------------------------------------------------------------------


def reconcile_endpoints(*, at: datetime) -> None:
    """Bring every endpoint nearer to what is wanted of it."""
    waiting = list(selectors.existing())
    for first in range(0, len(waiting), AT_ONCE):
        for situation in selectors.situations(waiting[first : first + AT_ONCE], at=at):
            if _is_settled(situation, at=at):
                continue
            try:
                reconcile_endpoint(endpoint_id=situation.endpoint.id, at=at)
            except Exception:
                # one that cannot be reconciled must not keep the others from being
                log.exception("endpoint %s is not reconciled", situation.endpoint.id)


@transaction.atomic
def reconcile_endpoint(*, endpoint_id: UUID, at: datetime) -> None:
    """Replicas follow their gangs; what is missing is started, what is too much stopped."""
    endpoint = _locked(endpoint_id)
    if endpoint is not None and _reconcile(endpoint, actor=SYSTEM, at=at):
        _say(endpoint)


def say_replica_moved(*, replica_id: UUID) -> None:
    """Tell an endpoint's watchers that something about it has changed: the API says what."""
    endpoint = Endpoint.objects.filter(deployments__replicas=replica_id).first()
    if endpoint is not None:
        _say(endpoint)


@transaction.atomic
def note_probe(
    *, replica_id: UUID, workload_id: UUID, failure: Reason | None, at: datetime
) -> None:
    """Keep what came of a look at a replica: reached, it is ready; else it is unreachable.

    One that was ready may miss a look: a busy host is no broken one.
    """
    endpoint_id = (
        Endpoint.objects.filter(deployments__replicas=replica_id)
        .values_list("id", flat=True)
        .first()
    )
    if endpoint_id is None or (endpoint := _locked(endpoint_id)) is None:
        return
    replica = Replica.objects.get(pk=replica_id)
    gang = gangs.gangs([replica.gang_id]).get(replica.gang_id) if replica.gang_id else None
    if replica.ended_at or replica.stop_asked_at or gang is None:
        return  # it has moved on meanwhile
    workload = gangs.first_workload(gang)
    if workload.id != workload_id or workload.state != WorkloadState.RUNNING:
        return
    before = (replica.state, replica.reason)
    replica.probed_at = at
    if failure is None:
        replica.missed_probes = 0
        replica.state, replica.reason = ReplicaState.READY, None
        replica.ready_at = replica.ready_at or at
    else:
        replica.missed_probes = min(replica.missed_probes + 1, 1000)
        if replica.state != ReplicaState.READY or replica.missed_probes >= MISSES:
            replica.state = ReplicaState.UNREACHABLE
            replica.reason = reasons.to_row(failure)
    replica.save(update_fields=["probed_at", "missed_probes", "state", "reason", "ready_at"])
    if (replica.state, replica.reason) != before:
        wake("serving")  # a rollout goes on
        _say(endpoint)


def _is_settled(situation: Situation, *, at: datetime) -> bool:
    """Whether there is nothing to do: asked of many endpoints without a lock."""
    if any(_news_of(replica, situation) for replica in situation.replicas):
        return False
    if situation.endpoint.deleted_at and not _living(situation):
        return False
    decision = reconciliation.decide(situation.wanted, situation.actual, at)
    return not (decision.start or decision.stop or decision.give_up)


def _reconcile(endpoint: Endpoint, *, actor: Actor, at: datetime) -> bool:
    """One step, under the endpoint's lock; whether anything has changed."""
    (situation,) = selectors.situations([endpoint], at=at)
    changed = _follow(situation)
    decision = reconciliation.decide(situation.wanted, situation.actual, at)
    of = {replica.id: replica for replica in situation.replicas}
    for replica_id in decision.stop:
        _stop(of[replica_id], situation, actor=actor, at=at)
        changed = True
    if decision.give_up:
        _give_up(situation.deployment, decision.give_up, at=at)
        changed = True
    for _ in range(decision.start):
        changed = True
        if not _start(endpoint, situation.deployment, at=at):
            break
    if endpoint.deleted_at:
        _forget(endpoint)
    return changed


def _follow(situation: Situation) -> bool:
    """Bring replicas to where their gangs are."""
    changed = False
    for replica in situation.replicas:
        if news := _news_of(replica, situation):
            _set(replica, news)
            changed = True
    return changed


def _news_of(replica: Replica, situation: Situation) -> dict[str, Any]:
    """What a replica's row lacks of what its gang says."""
    gang = situation.gang_of(replica)
    if replica.ended_at is not None or gang is None:
        return {}
    told = _told(replica, gang)
    return {name: value for name, value in told.items() if getattr(replica, name) != value}


def _told(replica: Replica, gang: Gang) -> dict[str, Any]:
    """What a gang says of its replica. Whether it is reached is told by probes alone."""
    if outcome := gangs.outcome(gang):
        reason = reasons.to_row(outcome.reason) if outcome.reason else None
        return {
            "state": ReplicaState.ENDED.value,
            "ended_at": outcome.ended_at,
            "reason": replica.reason if replica.stop_asked_at else reason,
            "cause": outcome.cause.value if outcome.cause else "",
        }
    workload = gangs.first_workload(gang)
    match WorkloadState(workload.state):
        case WorkloadState.STOPPING | WorkloadState.FINISHING:
            reason = replica.reason if replica.stop_asked_at else workload.reason
            return {"state": ReplicaState.STOPPING.value, "reason": reason}
        case WorkloadState.RUNNING if workload.service is None and workload.reason:
            return {"state": ReplicaState.UNREACHABLE.value, "reason": workload.reason}
    return {}


def _start(endpoint: Endpoint, deployment: Deployment, *, at: datetime) -> bool:
    """One more replica of a deployment; False if no node could hold it any more."""
    newest = Replica.objects.filter(deployment__endpoint=endpoint).aggregate(Max("number"))
    try:
        with transaction.atomic():
            replica = Replica.objects.create(
                deployment=deployment, number=(newest["number__max"] or 0) + 1
            )
            gang = workloads.request_gang(
                project=endpoint.project,
                owner_kind=OWNER_KIND,
                owner_id=replica.id,
                resources=Resources(**deployment.resources),
                specs=[specs.workload_spec(endpoint, deployment)],
                priority=PRIORITY,
                at=at,
            )
            replica.gang_id = gang.id
            replica.save(update_fields=["gang_id"])
    except workloads.DemandTooLarge as refusal:
        _give_up(deployment, Reason(code=refusal.code, params=refusal.params), at=at)
        return False
    return True


def _stop(replica: Replica, situation: Situation, *, actor: Actor, at: datetime) -> None:
    """Ask a replica to end: it answers what it has. One that has not started has ended at once."""
    assert replica.gang_id is not None
    if replica.deployment_id != situation.deployment.id and not situation.endpoint.deleted_at:
        number = situation.deployment.number
        why = Reason(code="replica_replaced", params={"deployment": number})
    else:
        why = Reason(code="stopped_by", params={"name": actor.name})
    _set(
        replica,
        {
            "state": ReplicaState.STOPPING.value,
            "stop_asked_at": at,
            "reason": reasons.to_row(why),
        },
    )
    workloads.stop_gang(gang_id=replica.gang_id, actor=actor, at=at)
    _set(replica, _told(replica, gangs.gangs([replica.gang_id])[replica.gang_id]))


def _set(replica: Replica, values: Mapping[str, Any]) -> None:
    if not values:
        return
    for name, value in values.items():
        setattr(replica, name, value)
    replica.save(update_fields=list(values))


def _give_up(deployment: Deployment, reason: Reason, *, at: datetime) -> None:
    """Start no more of a deployment until somebody asks for it again."""
    deployment.given_up_at, deployment.reason = at, reasons.to_row(reason)
    deployment.save(update_fields=["given_up_at", "reason"])
    log.warning("deployment %s is given up: %s", deployment.id, reason.code)


def _forget(endpoint: Endpoint) -> None:
    """Drop the rows of a deleted endpoint once nothing of it runs; the audit remembers."""
    if Replica.objects.filter(deployment__endpoint=endpoint, ended_at=None).exists():
        return
    Endpoint.objects.filter(pk=endpoint.pk).update(deployment=None)
    Endpoint.objects.filter(pk=endpoint.pk).delete()


def _living(situation: Situation) -> bool:
    return any(replica.ended_at is None for replica in situation.replicas)


# --- keys ----------------------------------------------------------------------------------------


@transaction.atomic
def create_key(
    *,
    endpoint_id: UUID,
    name: str,
    expires_at: datetime,
    requests_per_minute: int | None,
    user: User,
    actor: Actor,
    at: datetime,
) -> tuple[Key, str]:
    """A credential that may call one endpoint; its text is returned once and never again."""
    endpoint = _lock(endpoint_id)
    latest = at + LONGEST_KEY
    if not at < expires_at <= latest:
        raise KeyLifetimeRefused(latest=latest.isoformat())
    secret = credentials.new_secret()
    key = Key.objects.create(
        endpoint=endpoint,
        name=name,
        secret_sha256=credentials.sha256(secret),
        created_by=user,
        requests_per_minute=requests_per_minute,
        expires_at=expires_at,
    )
    audit.record(
        actor, "key.create", key, project=endpoint.project, name=name, endpoint=endpoint.name
    )
    _say(endpoint)
    return key, credentials.text_of(credentials.KEY_PREFIX, key.id, secret)


def note_key_uses(*, used_at: Mapping[UUID, datetime]) -> None:
    """Keep when keys were last used; a gateway that is behind another takes nothing back."""
    for key_id, at in used_at.items():
        earlier = Q(last_used_at=None) | Q(last_used_at__lt=at)
        Key.objects.filter(earlier, pk=key_id).update(last_used_at=at)


@transaction.atomic
def revoke_key(*, endpoint_id: UUID, key_id: UUID, actor: Actor, at: datetime) -> None:
    """End a key at once; one that is revoked already stays as it is."""
    endpoint = _lock(endpoint_id)
    key = Key.objects.filter(pk=key_id, endpoint=endpoint).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        audit.record(
            actor,
            "key.revoke",
            key,
            project=endpoint.project,
            name=key.name,
            endpoint=endpoint.name,
        )
        _say(endpoint)


# --- shared by all writers -----------------------------------------------------------------------


def _lock(endpoint_id: UUID) -> Endpoint:
    """An endpoint that is not deleted, locked; raises ``NotFound``."""
    endpoint = _locked(endpoint_id)
    if endpoint is None or endpoint.deleted_at is not None:
        raise NotFound
    return endpoint


def _locked(endpoint_id: UUID) -> Endpoint | None:
    # first the lock, then the reading: a join would be of before whoever held the lock was done
    locked = Endpoint.objects.select_for_update().filter(pk=endpoint_id)
    if not locked.values_list("pk").first():
        return None
    return selectors.existing().get(pk=endpoint_id)


def _say(endpoint: Endpoint) -> None:
    publish(EndpointMoved(endpoint_id=endpoint.id, project_id=endpoint.project_id))


def forget_spent_keys(*, before: datetime) -> int:
    """Drop keys that have been over for long; how many."""
    over = Key.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))
    return over.delete()[0]
