"""Jobs: submit, follow, stop; and the recipes that jobs can be made of."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers, status
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from agents.protocol.recipes import Manifest, all_manifests
from agents.protocol.specs import FileRef
from apps.accounts.models import User
from apps.artifacts import filesets
from apps.common.api import IdempotentCreateMixin
from apps.common.pagination import page_of
from apps.common.reasons import to_row
from apps.datasets import selectors as datasets
from apps.jobs import history, preview, selectors, services
from apps.jobs.models import Job, JobKind, Run
from apps.jobs.serializers import (
    EvaluateJobSerializer,
    JobEventSerializer,
    JobFilterSerializer,
    JobPreviewSerializer,
    JobSerializer,
    KindSerializer,
    LogWindowSerializer,
    MetricsSerializer,
    MetricsWindowSerializer,
    OutputSerializer,
    RecipeSerializer,
    RunSerializer,
    RunsSerializer,
    ScriptJobSerializer,
    StopManySerializer,
    StopOutcomeSerializer,
    StopOutcomesSerializer,
    TrainJobSerializer,
    UseSerializer,
    WindowSerializer,
)
from apps.projects.permissions import (
    MEMBER,
    SIGNED_IN,
    VIEWER,
    InstallationViewSet,
    ProjectViewSet,
    principal_of,
)
from apps.registry import selectors as registry
from apps.workloads.selectors import Forecast
from apps.workloads.shapes import LogSerializer

SUBMITS: dict[str, type[serializers.Serializer[Any]]] = {
    JobKind.TRAIN.value: TrainJobSerializer,
    JobKind.SCRIPT.value: ScriptJobSerializer,
    JobKind.EVALUATE.value: EvaluateJobSerializer,
}


class PlainText(BaseRenderer):
    """For who asks for text/plain; the view's answer needs no rendering."""

    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"


AS_WRITTEN = [PlainText, JSONRenderer]


class JobViewSet(IdempotentCreateMixin, ProjectViewSet[Job]):
    """Submit, follow and stop jobs."""

    serializer_class = JobSerializer
    filter_backends = ()
    ordering = "-created_at"
    needs = {
        "list": VIEWER,
        "retrieve": VIEWER,
        "create": MEMBER,
        "preview": MEMBER,
        "stop": MEMBER,
        "stop_many": MEMBER,
        "events": VIEWER,
        "runs": VIEWER,
        "log": VIEWER,
        "raw_log": VIEWER,
        "metrics": VIEWER,
        "outputs": VIEWER,
    }

    def get_queryset(self) -> QuerySet[Job]:
        return selectors.jobs_in(self.project)

    @extend_schema(parameters=[JobFilterSerializer], responses=JobSerializer(many=True))
    def list(self, request: Request, slug: str) -> Response:
        wanted = self._asked(JobFilterSerializer)
        principal = principal_of(request)
        if wanted.get("submitted_by") == "me" and isinstance(principal, User):
            wanted["submitted_by"] = principal
        ordering = wanted.pop("ordering")
        found = selectors.filtered(self.project, **wanted)
        jobs, self.ordering = selectors.ordered(found, ordering)
        page = self.paginate_queryset(jobs) or []
        return self.get_paginated_response(
            JobSerializer(
                selectors.views(page), many=True, context=self.get_serializer_context()
            ).data
        )

    @extend_schema(
        request=PolymorphicProxySerializer("JobSubmit", {**SUBMITS}, "kind"),
        responses={201: JobSerializer},
    )
    def create(self, request: Request, slug: str) -> Response:
        """Submit a job: a recipe's training, a script, or an evaluation."""
        config = self._submission()
        principal = principal_of(request)
        job = services.submit_job(
            project=self.project,
            actor=self.actor,
            user=principal if isinstance(principal, User) else None,
            kind=JobKind(config.pop("kind")),
            name=config["name"],
            priority=config.pop("priority"),
            max_retries=config.pop("max_retries"),
            config=config,
            at=timezone.now(),
        )
        return self._shown(job, status.HTTP_201_CREATED)

    @extend_schema(
        request=PolymorphicProxySerializer("JobSubmit", {**SUBMITS}, "kind"),
        responses=JobPreviewSerializer,
    )
    def preview(self, request: Request, slug: str) -> Response:
        """What a job would be and where it would fit, without submitting it."""
        config = self._submission()
        kind = JobKind(config.pop("kind"))
        config.pop("max_retries")
        found = preview.preview(
            project=self.project,
            kind=kind,
            name=config.pop("name"),
            priority=config.pop("priority"),
            config=config,
            at=timezone.now(),
        )
        given: dict[str, Any] = dict(request.data)
        body = {
            "name": found.name,
            "kind": kind.value,
            "config": found.config,
            "resources": found.resources,
            "fits": _fits(found.forecast),
            "yaml": preview.job_file(given),
            "cli": preview.command(self.project),
            "curl": preview.curl(self.project, given, url=settings.PUBLIC_URL),
        }
        return Response(JobPreviewSerializer(body, context=self.get_serializer_context()).data)

    @extend_schema(responses=JobSerializer)
    def retrieve(self, request: Request, slug: str, id: UUID) -> Response:
        return self._shown(selectors.job_in(self.project, id))

    @extend_schema(request=None, responses=JobSerializer)
    def stop(self, request: Request, slug: str, id: UUID) -> Response:
        """Ask a job to end: SIGTERM, and SIGKILL when its grace is over."""
        found = selectors.job_in(self.project, id)
        stopped = services.stop_job(job_id=found.id, actor=self.actor, at=timezone.now())
        return self._shown(stopped)

    @extend_schema(
        operation_id="projects_jobs_stop_many",
        request=StopManySerializer,
        responses=StopOutcomesSerializer,
    )
    def stop_many(self, request: Request, slug: str) -> Response:
        """Ask jobs to end, and say of each whether it could be asked."""
        wanted = StopManySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        outcomes = services.stop_jobs(
            project=self.project,
            ids=wanted.validated_data["ids"],
            actor=self.actor,
            at=timezone.now(),
        )
        rows = [
            {"id": one.id, "stopped": one.stopped, "reason": one.reason and to_row(one.reason)}
            for one in outcomes
        ]
        context = self.get_serializer_context()
        return Response({"results": StopOutcomeSerializer(rows, many=True, context=context).data})

    @extend_schema(responses=JobEventSerializer(many=True))
    def events(self, request: Request, slug: str, id: UUID) -> Response:
        """What happened to a job and why, oldest first."""
        job = selectors.job_in(self.project, id)
        rows = [history.shown(event) for event in history.events_of(job)]
        page = page_of(rows, request, of=f"events of {job.id}")
        shown = JobEventSerializer(
            page.data["results"], many=True, context=self.get_serializer_context()
        )
        return Response({**page.data, "results": shown.data})

    @extend_schema(responses=RunsSerializer)
    def runs(self, request: Request, slug: str, id: UUID) -> Response:
        """Every try at a job, the newest first."""
        runs = selectors.runs_of(selectors.job_in(self.project, id))
        context = self.get_serializer_context()
        shown = RunSerializer(runs, many=True, context=context).data
        return Response({"results": shown, "next": None, "previous": None})

    @extend_schema(parameters=[LogWindowSerializer], responses=LogSerializer)
    def log(self, request: Request, slug: str, id: UUID) -> Response:
        """A piece of what the job has written, from an offset in bytes or a time."""
        asked = self._asked(LogWindowSerializer)
        run = self._run(id, asked["run"])
        return Response(
            selectors.log_piece(run, **{name: asked[name] for name in ("offset", "limit", "since")})
        )

    @extend_schema(
        parameters=[WindowSerializer],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def raw_log(self, request: Request, slug: str, id: UUID) -> StreamingHttpResponse:
        """Everything the job has written so far, as it was written."""
        run = self._run(id, self._asked(WindowSerializer)["run"])
        pieces = selectors.log_bytes(run)
        # an event loop collects a plain iterator whole before it sends the first byte of it
        body = _in_threads(pieces) if isinstance(request._request, ASGIRequest) else pieces
        return StreamingHttpResponse(body, content_type="text/plain; charset=utf-8")

    @extend_schema(
        parameters=[MetricsWindowSerializer],
        responses=MetricsSerializer,
    )
    def metrics(self, request: Request, slug: str, id: UUID) -> Response:
        """The metric points of a run, thinned where there are very many."""
        asked = self._asked(MetricsWindowSerializer)
        run = self._run(id, asked["run"])
        return Response(selectors.metrics_of(run, asked.get("name")))

    @extend_schema(parameters=[WindowSerializer], responses=OutputSerializer(many=True))
    def outputs(self, request: Request, slug: str, id: UUID) -> Response:
        """The files a run left, each with an address to fetch it from."""
        run = self._run(id, self._asked(WindowSerializer)["run"])
        files = [
            FileRef(path=output.path, digest=output.artifact.digest, size=output.artifact.size)
            for output in selectors.outputs_of(run)
        ]
        page = page_of(files, request, of=f"outputs of {run.id}")
        shown = filesets.shown(page.data["results"], holder=principal_of(request).id)
        return Response({**page.data, "results": shown})

    def _submission(self) -> dict[str, Any]:
        """The body, as its kind has it."""
        kind = KindSerializer(data=self.request.data)
        kind.is_valid(raise_exception=True)
        wanted = SUBMITS[kind.validated_data["kind"]](data=self.request.data)
        wanted.is_valid(raise_exception=True)
        return dict(wanted.validated_data)

    def _asked(self, kind: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The address's parameters, typed."""
        asked = kind(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    def _run(self, id: UUID, number: int | None) -> Run:
        return selectors.run_of(selectors.job_in(self.project, id), number)

    def _shown(self, job: Job, code: int = status.HTTP_200_OK) -> Response:
        context = self.get_serializer_context()
        return Response(JobSerializer(selectors.view(job), context=context).data, status=code)


class UseViewSet(ProjectViewSet[Run]):
    """Lineage downwards: what became of a version."""

    serializer_class = UseSerializer
    queryset = Run.objects.none()
    filter_backends = ()
    ordering = "-created_at"
    needs = {"of_dataset": VIEWER, "of_model": VIEWER}

    @extend_schema(responses=UseSerializer(many=True))
    def of_dataset(self, request: Request, slug: str, ref: str, number: int) -> Response:
        """Runs that read a dataset version, newest first, with the models they made of it."""
        version = datasets.numbered(self.project, ref, number)
        return self._page(selectors.readers_of(dataset_version=version))

    @extend_schema(responses=UseSerializer(many=True))
    def of_model(self, request: Request, slug: str, ref: str, number: int) -> Response:
        """Runs that read a model version, newest first, with what they measured."""
        version = registry.numbered(self.project, ref, number)
        return self._page(selectors.readers_of(model_version=version))

    def _page(self, runs: QuerySet[Run]) -> Response:
        page = self.paginate_queryset(runs) or []
        return self.get_paginated_response(UseSerializer(selectors.uses(page), many=True).data)


class RecipeViewSet(InstallationViewSet[Job]):
    """What can be trained from a form."""

    serializer_class = RecipeSerializer
    queryset = Job.objects.none()
    needs = {"list": SIGNED_IN}

    @extend_schema(responses=RecipeSerializer(many=True))
    def list(self, request: Request) -> Response:
        manifests: list[Manifest] = sorted(all_manifests().values(), key=lambda m: m.name)
        shown = RecipeSerializer(manifests, many=True).data
        return Response({"results": shown, "next": None, "previous": None})


def _fits(forecast: Forecast) -> dict[str, Any]:
    return {
        "fits_now": forecast.reason is None,
        "ever": forecast.ever,
        "reason": forecast.reason and to_row(forecast.reason),
        "largest": forecast.largest,
        "nodes": [
            {
                "node": {"id": node.node_id, "name": node.node},
                "fits": node.reason is None,
                "reason": node.reason and to_row(node.reason),
            }
            for node in forecast.nodes
        ],
    }


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A blocking iterator, one step at a time off the event loop."""
    following = sync_to_async(lambda: next(pieces, b""))
    while piece := await following():
        yield piece
