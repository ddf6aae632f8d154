"""What a model came from and what came of it: from data to endpoint."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import F, Q

from apps.datasets.models import DatasetVersion
from apps.jobs.models import Run, RunInput
from apps.registry.models import Evaluation, Model, ModelVersion
from apps.serving import selectors
from apps.serving.models import Deployment

MOST_VERSIONS = 100  # the newest


class Kind(StrEnum):
    DATASET_VERSION = "dataset_version"
    JOB = "job"
    MODEL_VERSION = "model_version"
    ENDPOINT = "endpoint"


class Role(StrEnum):
    INPUT = "input"  # data, of a job
    OUTPUT = "output"  # a model version, of a job
    EVALUATION = "evaluation"  # a model version was measured on data
    SERVING = "serving"  # an endpoint, of a model version


@dataclass(frozen=True, kw_only=True)
class Node:
    id: UUID
    kind: Kind
    name: str
    number: int | None = None
    state: str | None = None
    created_at: datetime


@dataclass(frozen=True)
class Edge:
    source: UUID
    target: UUID
    role: Role


@dataclass
class Graph:
    """Nodes in the order in which things were made, each once."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def of_model(model: Model, *, at: datetime) -> Graph:
    """The graph of a model's newest versions."""
    versions = list(
        ModelVersion.objects.filter(model=model)
        .order_by("-number")
        .defer("files", "signature")[:MOST_VERSIONS]
    )
    graph = Graph()
    _data_and_jobs(graph, versions)
    graph.nodes += [
        Node(
            id=version.id,
            kind=Kind.MODEL_VERSION,
            name=model.name,
            number=version.number,
            created_at=version.created_at,
        )
        for version in versions
    ]
    _endpoints(graph, [version.id for version in versions], at=at)
    graph.nodes.sort(key=lambda node: (list(Kind).index(node.kind), node.created_at))
    return graph


def _data_and_jobs(graph: Graph, versions: Sequence[ModelVersion]) -> None:
    made = {version.run_id: version for version in versions if version.run_id}
    runs = {run.id: run for run in Run.objects.filter(id__in=made).select_related("job")}
    jobs = {run.job.id: run.job for run in runs.values()}
    graph.nodes += [
        Node(id=job.id, kind=Kind.JOB, name=job.name, state=job.state, created_at=job.created_at)
        for job in jobs.values()
    ]
    inputs = RunInput.objects.filter(run__in=runs, dataset_version__isnull=False).values_list(
        "run_id", "dataset_version_id"
    )
    measured = Evaluation.objects.filter(version__in=versions).values_list(
        "dataset_version_id", "version_id"
    )
    data = _data(graph, {*(id for _, id in inputs), *(id for id, _ in measured)})
    edges = [
        *(Edge(id, runs[run].job_id, Role.INPUT) for run, id in inputs),
        *(Edge(run.job_id, made[run.id].id, Role.OUTPUT) for run in runs.values()),
        *(Edge(id, version, Role.EVALUATION) for id, version in measured if id in data),
    ]
    graph.edges += dict.fromkeys(edges)


def _data(graph: Graph, ids: Collection[UUID]) -> set[UUID]:
    rows = DatasetVersion.objects.filter(id__in=ids).select_related("dataset")
    nodes = [
        Node(
            id=row.id,
            kind=Kind.DATASET_VERSION,
            name=row.dataset.name,
            number=row.number,
            state=row.state,
            created_at=row.created_at,
        )
        for row in rows.defer("files", "profile", "thumbnails")
    ]
    graph.nodes += nodes
    return {node.id for node in nodes}


def _endpoints(graph: Graph, versions: Collection[UUID], *, at: datetime) -> None:
    """Those that serve one of the versions: by what is wanted, or by a replica that lives."""
    served = Deployment.objects.filter(
        Q(replicas__isnull=False, replicas__ended_at=None) | Q(pk=F("endpoint__deployment")),
        version__in=versions,
        endpoint__deleted_at=None,
    )
    pairs = list(served.values_list("endpoint_id", "version_id").distinct())
    endpoints = selectors.existing().filter(id__in={endpoint for endpoint, _ in pairs})
    graph.nodes += [
        Node(
            id=view.endpoint.id,
            kind=Kind.ENDPOINT,
            name=view.endpoint.name,
            state=view.state,
            created_at=view.endpoint.created_at,
        )
        for view in selectors.views(list(endpoints), at=at)
    ]
    graph.edges += [Edge(version, endpoint, Role.SERVING) for endpoint, version in pairs]
