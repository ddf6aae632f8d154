"""A node is who its bearer says it is."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from rest_framework import authentication
from rest_framework.request import Request

from apps.common.errors import DomainError
from apps.fleet import services as fleet
from apps.fleet.models import Node


class NodeBearerRefused(DomainError):
    """The bearer is not, or no longer, one of a node of this installation."""

    status = 401


@dataclass(frozen=True)
class NodePrincipal:
    """A node that asks for itself."""

    node: Node

    is_authenticated = True

    @property
    def id(self) -> UUID:
        return self.node.id


class NodeAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer dhn_...`; nothing else opens a door of the nodes."""

    def authenticate(self, request: Request) -> tuple[NodePrincipal, None]:
        node = node_of_header(request.headers.get("Authorization", ""))
        if node is None:
            raise NodeBearerRefused
        return NodePrincipal(node), None


def node_of_header(value: str) -> Node | None:
    """The node that an Authorization header speaks for, if it is one of ours."""
    scheme, _, text = value.partition(" ")
    return fleet.node_of_token(text.strip()) if scheme.lower() == "bearer" else None


def node_of(request: Request) -> Node:
    """The node that is asking, behind a view that lets in nodes only."""
    return cast(NodePrincipal, request.user).node
