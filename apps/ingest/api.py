"""The nodes' HTTPS doors, under /agent/v1/: bodies are the wire types of `agents.protocol.rest`."""

from typing import TypeVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from agents.protocol.base import Message
from agents.protocol.rest import (
    Challenge,
    ChallengeRequest,
    Desired,
    JoinRequest,
    OutputFinished,
    OutputRequest,
    StartRequest,
    TokenRequest,
)
from apps.common.errors import DomainError
from apps.fleet import selectors as orders
from apps.fleet import services as fleet
from apps.ingest.authentication import NodeAuthentication, node_of
from apps.workloads import selectors, services

MOST_BYTES = 256 * 1024  # of a body; bytes of artifacts have a door of their own

M = TypeVar("M", bound=Message)


class MessageTooLarge(DomainError):
    """A node's message is larger than any is."""

    status = 413


class MessageRefused(DomainError):
    """A node's message is not what this door takes."""

    status = 422


class OpenView(APIView):
    """A door for who is not known yet."""

    authentication_classes = []
    permission_classes = []
    schema = None  # the nodes' contract is `agents.protocol`, not the OpenAPI document


class NodeView(OpenView):
    """A door for nodes."""

    authentication_classes = [NodeAuthentication]


class JoinView(OpenView):
    def post(self, request: Request) -> HttpResponse:
        return _say(fleet.join(request=_read(request, JoinRequest), at=timezone.now()))


class ChallengeView(OpenView):
    def post(self, request: Request) -> HttpResponse:
        asked = _read(request, ChallengeRequest)
        return _say(Challenge(nonce=fleet.challenge(node_id=asked.node, at=timezone.now())))


class TokenView(OpenView):
    def post(self, request: Request) -> HttpResponse:
        asked = _read(request, TokenRequest)
        return _say(fleet.issue_node_token(request=asked, at=timezone.now()))


class DesiredView(NodeView):
    def get(self, request: Request) -> HttpResponse:
        return _say(Desired(envelopes=orders.envelopes_for(node_of(request).id)))


class SpecView(NodeView):
    def get(self, request: Request, workload_id: UUID) -> HttpResponse:
        # the exact bytes that the order was signed over: nothing may encode them anew
        body = selectors.spec_bytes(workload_id, node_of(request).id)
        return HttpResponse(body, content_type="application/json")


class StartView(NodeView):
    def post(self, request: Request, workload_id: UUID) -> HttpResponse:
        answer = services.approve_start(
            workload_id=workload_id,
            node_id=node_of(request).id,
            request=_read(request, StartRequest),
            at=timezone.now(),
        )
        return _say(answer)


class OutputsView(NodeView):
    def post(self, request: Request, workload_id: UUID) -> HttpResponse:
        answer = services.request_output(
            workload_id=workload_id,
            node_id=node_of(request).id,
            request=_read(request, OutputRequest),
            at=timezone.now(),
        )
        return _say(answer)


class OutputFinishedView(NodeView):
    def post(self, request: Request, workload_id: UUID) -> HttpResponse:
        finished = _read(request, OutputFinished)
        services.finish_output(
            workload_id=workload_id,
            node_id=node_of(request).id,
            digest=finished.digest,
            fence=finished.fence,
            at=timezone.now(),
        )
        return HttpResponse(status=204)


def _read(request: Request, kind: type[M]) -> M:
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise MessageTooLarge(most=MOST_BYTES)
    if b"\\u0000" in body:  # no text of ours holds a NUL, and Postgres keeps none
        raise MessageRefused(why="it holds a NUL")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageRefused(why=str(error)) from error


def _say(message: Message) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(message), content_type="application/json")
