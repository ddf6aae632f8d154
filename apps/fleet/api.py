"""Nodes, and the invitations that bring them in."""

from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.fleet import selectors, services
from apps.fleet.models import JoinToken, Node, NodeEvent
from apps.fleet.serializers import (
    CordonSerializer,
    InvitationSerializer,
    JoinTokenSerializer,
    NodeEventSerializer,
    NodeSerializer,
)
from apps.projects.permissions import OPERATOR, SIGNED_IN, InstallationViewSet


class NodeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, InstallationViewSet[Node]):
    """The hosts of the installation."""

    serializer_class = NodeSerializer
    needs = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "cordon": OPERATOR,
        "uncordon": OPERATOR,
        "clear_device": OPERATOR,
        "destroy": OPERATOR,
    }
    ordering = "name"
    filterset_fields = ["name", "contact"]

    def get_queryset(self) -> QuerySet[Node]:
        return selectors.nodes()

    @extend_schema(request=CordonSerializer, responses=NodeSerializer)
    def cordon(self, request: Request, pk: UUID) -> Response:
        """Give the node no new work; what it runs goes on."""
        wanted = CordonSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        services.cordon(
            node_id=pk,
            actor=self.actor,
            at=timezone.now(),
            reason=wanted.validated_data["reason"],
        )
        return self._answer(pk)

    @extend_schema(request=None, responses=NodeSerializer)
    def uncordon(self, request: Request, pk: UUID) -> Response:
        """Let the node take work again."""
        services.uncordon(node_id=pk, actor=self.actor, at=timezone.now())
        return self._answer(pk)

    @extend_schema(request=None, responses=NodeSerializer)
    def clear_device(self, request: Request, pk: UUID, device_id: UUID) -> Response:
        """Give a device work again that was taken for unhealthy: somebody has seen to it."""
        services.clear_device(node_id=pk, device_id=device_id, actor=self.actor, at=timezone.now())
        return self._answer(pk)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Turn the node away for good."""
        services.remove(node_id=pk, actor=self.actor, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _answer(self, node_id: UUID) -> Response:
        node = self.get_queryset().get(pk=node_id)
        return Response(self.get_serializer(node).data)


class NodeEventViewSet(mixins.ListModelMixin, InstallationViewSet[NodeEvent]):
    """What happened to a node, the newest first; also to one that was removed."""

    serializer_class = NodeEventSerializer
    needs = {"list": SIGNED_IN}
    ordering = ("-at", "-id")
    filterset_fields = ["kind"]

    def get_queryset(self) -> QuerySet[NodeEvent]:
        if getattr(self, "swagger_fake_view", False):
            return NodeEvent.objects.none()
        return selectors.events_of(self.kwargs["node_id"])


class JoinTokenViewSet(
    mixins.RetrieveModelMixin, mixins.ListModelMixin, InstallationViewSet[JoinToken]
):
    """Invitations: each brings in one node."""

    serializer_class = JoinTokenSerializer
    needs = {"list": OPERATOR, "retrieve": OPERATOR, "create": OPERATOR}
    ordering = "-created_at"

    def get_queryset(self) -> QuerySet[JoinToken]:
        return selectors.join_tokens()

    @extend_schema(request=None, responses={201: InvitationSerializer})
    def create(self, request: Request) -> Response:
        """Invite one node; the token is told this once and holds for a quarter of an hour."""
        token, text = services.create_join_token(
            created_by=self.person, actor=self.actor, at=timezone.now()
        )
        url = settings.PUBLIC_URL
        invitation = {
            "id": token.id,
            "token": text,
            "url": url,
            "command": f"datahall nodes join {url} {text}",
            "expires_at": token.expires_at,
        }
        return Response(InvitationSerializer(invitation).data, status=status.HTTP_201_CREATED)
