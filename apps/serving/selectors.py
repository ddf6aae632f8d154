"""Questions about endpoints, what they serve and what serves it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from agents.protocol.link import Service
from agents.protocol.workloads import Cause, WorkloadState
from apps.artifacts import names
from apps.artifacts.names import uuid_of
from apps.common import reasons
from apps.common.errors import NotFound
from apps.fleet.models import Node
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.serving import reconciliation
from apps.serving.models import Deployment, Endpoint, Key, Replica, ReplicaState
from apps.serving.reconciliation import Actual, EndpointState, Wanted
from apps.workloads import bearers
from apps.workloads import selectors as workloads
from apps.workloads.models import Gang

STEADY_PROBE = timedelta(seconds=15)  # between looks at a replica that was well


class EndpointUnknown(NotFound):
    """No endpoint of the project is called that."""


# --- endpoints -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Situation:
    """An endpoint with what the rules of reconciliation look at."""

    endpoint: Endpoint
    replicas: list[Replica]  # that live, and those of what is wanted that ended a little while ago
    gangs: dict[UUID, Gang]

    @property
    def deployment(self) -> Deployment:
        assert self.endpoint.deployment is not None
        return self.endpoint.deployment

    @property
    def wanted(self) -> Wanted:
        deleted = self.endpoint.deleted_at is not None
        return Wanted(
            deployment=self.deployment.number,
            replicas=0 if deleted else self.endpoint.replicas_wanted,
            tried_from=self.deployment.tried_from,
            given_up=self.deployment.given_up_at is not None and not deleted,
        )

    @property
    def actual(self) -> list[Actual]:
        return [
            Actual(
                id=replica.id,
                number=replica.number,
                deployment=replica.deployment.number,
                state=ReplicaState(replica.state),
                was_ready=replica.ready_at is not None,
                asked_to_stop=replica.stop_asked_at is not None,
                ended_at=replica.ended_at,
                cause=Cause(replica.cause) if replica.cause else None,
                reason=reasons.from_row(replica.reason),
            )
            for replica in self.replicas
        ]

    def gang_of(self, replica: Replica) -> Gang | None:
        return self.gangs.get(replica.gang_id) if replica.gang_id else None


@dataclass(frozen=True)
class EndpointView:
    """An endpoint as people see it."""

    endpoint: Endpoint
    url: str
    state: EndpointState
    reason: dict[str, Any] | None
    replicas_ready: int
    deployment: Deployment
    previous: Deployment | None  # an older one that still serves

    @property
    def signature(self) -> dict[str, Any]:
        signature: dict[str, Any] = self.deployment.version.signature
        return signature


def endpoints_in(project: Project) -> QuerySet[Endpoint]:
    return _endpoints().filter(project=project, deleted_at=None)


def endpoint(project: Project, ref: str) -> Endpoint:
    """An endpoint by name or identifier."""
    identifier = uuid_of(ref)
    if identifier or names.possible(ref):
        wanted = Q(id=identifier) if identifier else Q(name=ref)
        if found := endpoints_in(project).filter(wanted).first():
            return found
    raise EndpointUnknown(endpoint=ref[:100])


def views(endpoints: Sequence[Endpoint], *, at: datetime) -> list[EndpointView]:
    """Endpoints as people see them, with a handful of queries however many they are."""
    return [_view(situation) for situation in situations(endpoints, at=at)]


def view(endpoint: Endpoint, *, at: datetime) -> EndpointView:
    (one,) = views([endpoint], at=at)
    return one


def deployments_of(endpoint: Endpoint) -> QuerySet[Deployment]:
    """All of them, the newest first."""
    deployments = Deployment.objects.filter(endpoint=endpoint).defer("version__files")
    return deployments.select_related("version__model", "created_by").order_by("-number")


def keys_of(endpoint: Endpoint) -> QuerySet[Key]:
    return Key.objects.filter(endpoint=endpoint).select_related("created_by")


def url_of(endpoint: Endpoint) -> str:
    """Where predictions are asked for."""
    return f"{settings.GATEWAY_URL}/v1/endpoints/{endpoint.id}/predict"


# --- for reconciliation --------------------------------------------------------------------------


def existing() -> QuerySet[Endpoint]:
    """Every endpoint, also those that are deleted and whose replicas have not all ended."""
    return _endpoints().order_by("id")


def situations(endpoints: Sequence[Endpoint], *, at: datetime) -> list[Situation]:
    """What the rules look at, of many endpoints at once."""
    recently = Q(
        deployment__in=[endpoint.deployment_id for endpoint in endpoints],
        ended_at__gt=at - reconciliation.WINDOW,
    )
    rows = (
        Replica.objects.filter(
            Q(deployment__endpoint__in=[endpoint.id for endpoint in endpoints])
            & (Q(ended_at=None) | recently)
        )
        .select_related("deployment__version__model", "deployment__created_by")
        .defer("deployment__version__files")
        .order_by("number")
    )
    of: defaultdict[UUID, list[Replica]] = defaultdict(list)
    for replica in rows:
        of[replica.deployment.endpoint_id].append(replica)
    gangs = workloads.gangs(
        [r.gang_id for rs in of.values() for r in rs if r.gang_id and r.ended_at is None]
    )
    return [Situation(endpoint, of[endpoint.id], gangs) for endpoint in endpoints]


def servings_of(version: ModelVersion) -> QuerySet[Endpoint]:
    """The endpoints that serve a version, or may return to it."""
    return Endpoint.objects.filter(deployments__version=version, deleted_at=None).distinct()


# --- replicas ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplicaView:
    """A replica with where it runs."""

    id: UUID
    number: int
    deployment: int
    state: str
    reason: dict[str, Any] | None
    node: Node | None
    workload: UUID | None
    created_at: datetime
    started_at: datetime | None
    ready_at: datetime | None
    ended_at: datetime | None


def replicas_of(endpoint: Endpoint) -> QuerySet[Replica]:
    """Every replica there ever was; ``over`` is 0 for those that live and 1 for the others."""
    over = Case(When(ended_at=None, then=Value(0)), default=Value(1), output_field=IntegerField())
    replicas = Replica.objects.filter(deployment__endpoint=endpoint).annotate(over=over)
    return replicas.select_related("deployment").order_by("over", "-number", "-pk")


def replica_of(endpoint: Endpoint, replica_id: UUID) -> Replica:
    found = replicas_of(endpoint).filter(pk=replica_id).first()
    if found is None:
        raise NotFound
    return found


def replica_views(replicas: Sequence[Replica]) -> list[ReplicaView]:
    gangs = workloads.gangs([replica.gang_id for replica in replicas if replica.gang_id])
    return [_replica_view(r, gangs.get(r.gang_id) if r.gang_id else None) for r in replicas]


def log_piece(replica: Replica, offset: int, limit: int) -> dict[str, Any]:
    """A piece of a replica's log from an offset, cut between characters."""
    gang = workloads.gangs([replica.gang_id]).get(replica.gang_id) if replica.gang_id else None
    workload = workloads.first_workload(gang) if gang else None
    return workloads.log_piece(workload, offset, limit, over=replica.ended_at is not None)


@dataclass(frozen=True)
class Door:
    """Where a replica is reached, and the proof that we may call it."""

    replica_id: UUID
    workload_id: UUID
    service: Service
    bearer: str


def doors_to_probe(*, at: datetime) -> list[Door]:
    """The replicas that say where they are, and that were not looked at for long enough."""
    waiting = Replica.objects.filter(
        ~Q(state=ReplicaState.READY)
        | Q(missed_probes__gt=0)
        | Q(probed_at=None)
        | Q(probed_at__lte=at - STEADY_PROBE),
        ended_at=None,
        stop_asked_at=None,
        gang_id__isnull=False,
    ).exclude(state=ReplicaState.STOPPING)
    replicas = list(waiting.order_by("number", "id"))
    gangs = workloads.gangs([replica.gang_id for replica in replicas if replica.gang_id])
    return list(_doors(replicas, gangs))


def _doors(replicas: Iterable[Replica], gangs: dict[UUID, Gang]) -> Iterable[Door]:
    for replica in replicas:
        gang = gangs.get(replica.gang_id) if replica.gang_id else None
        if gang is None:
            continue
        workload = workloads.first_workload(gang)
        if workload.state == WorkloadState.RUNNING and workload.service:
            yield Door(
                replica_id=replica.id,
                workload_id=workload.id,
                service=Service(**workload.service),
                bearer=bearers.bearer_of(workload.id, gang.fence),
            )


# --- inside --------------------------------------------------------------------------------------


def _endpoints() -> QuerySet[Endpoint]:
    return Endpoint.objects.select_related(
        "project", "created_by", "deployment__version__model", "deployment__created_by"
    ).defer("deployment__version__files")


def _view(situation: Situation) -> EndpointView:
    wanted, actual = situation.wanted, situation.actual
    live = [replica for replica in actual if replica.is_live]
    older = [r for r in situation.replicas if r.deployment.number != wanted.deployment]
    serving = [r.deployment for r in older if r.ended_at is None and r.stop_asked_at is None]
    state = reconciliation.state_of(wanted, actual)
    return EndpointView(
        endpoint=situation.endpoint,
        url=url_of(situation.endpoint),
        state=state,
        reason=_why(situation, state),
        replicas_ready=sum(replica.state is ReplicaState.READY for replica in live),
        deployment=situation.deployment,
        previous=max(serving, key=lambda deployment: deployment.number, default=None),
    )


def _why(situation: Situation, state: EndpointState) -> dict[str, Any] | None:
    """What keeps an endpoint from being what is wanted."""
    if situation.deployment.given_up_at:
        reason: dict[str, Any] | None = situation.deployment.reason
        return reason
    if state in (EndpointState.READY, EndpointState.STOPPED):
        return None
    if fault := reconciliation.fault_of(situation.wanted, situation.actual):
        return reasons.to_row(fault)
    for replica in situation.replicas:
        own = replica.deployment_id == situation.deployment.id and replica.ended_at is None
        if own and (waits := _waits(replica, situation.gang_of(replica))):
            return waits
    return None


def _waits(replica: Replica, gang: Gang | None) -> dict[str, Any] | None:
    """What a replica that starts is waiting for."""
    if gang is None or replica.state != ReplicaState.STARTING:
        return None
    if waits := workloads.waiting_for(gang):
        return waits
    node = workloads.first_workload(gang).node
    return {"code": "replica_warms_up", "params": {"node": node.name if node else ""}}


def _replica_view(replica: Replica, gang: Gang | None) -> ReplicaView:
    workload = workloads.first_workload(gang) if gang else None
    return ReplicaView(
        id=replica.id,
        number=replica.number,
        deployment=replica.deployment.number,
        state=replica.state,
        reason=replica.reason or _waits(replica, gang),
        node=workload.node if workload else None,
        workload=workload.id if workload else None,
        created_at=replica.created_at,
        started_at=workload.started_at if workload else None,
        ready_at=replica.ready_at,
        ended_at=replica.ended_at,
    )
