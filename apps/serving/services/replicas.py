"""Making it so: replicas follow their gangs, and gangs are asked for."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from agents.protocol.base import Reason, Resources
from agents.protocol.workloads import WorkloadState
from apps.common import reasons
from apps.common.actors import SYSTEM, Actor
from apps.common.sweeps import wake
from apps.serving import reconciliation, selectors, specs
from apps.serving.models import OWNER_KIND, Deployment, Endpoint, Replica, ReplicaState
from apps.serving.selectors import Situation
from apps.serving.services import locks
from apps.workloads import selectors as gangs
from apps.workloads import services as workloads
from apps.workloads.models import Gang

log = logging.getLogger(__name__)

PRIORITY = 10  # somebody waits for an answer: before jobs that nobody gave a priority
AT_ONCE = 200  # endpoints looked at together
MISSES = 2  # probes in a row that a ready replica may not answer before it is unreachable


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
    endpoint = locks.lock_if_there(endpoint_id)
    if endpoint is not None and reconcile(endpoint, actor=SYSTEM, at=at):
        locks.say_moved(endpoint)


def say_replica_moved(*, replica_id: UUID) -> None:
    """Tell an endpoint's watchers that something about it has changed: the API says what."""
    endpoint = Endpoint.objects.filter(deployments__replicas=replica_id).first()
    if endpoint is not None:
        locks.say_moved(endpoint)


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
    if endpoint_id is None or (endpoint := locks.lock_if_there(endpoint_id)) is None:
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
        locks.say_moved(endpoint)


def _is_settled(situation: Situation, *, at: datetime) -> bool:
    """Whether there is nothing to do: asked of many endpoints without a lock."""
    if any(_news_of(replica, situation) for replica in situation.replicas):
        return False
    if situation.endpoint.deleted_at and not _living(situation):
        return False
    decision = reconciliation.decide(situation.wanted, situation.actual, at)
    return not (decision.start or decision.stop or decision.give_up)


def reconcile(endpoint: Endpoint, *, actor: Actor, at: datetime) -> bool:
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
