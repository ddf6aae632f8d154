"""Facts of nodes."""

from dataclasses import dataclass
from uuid import UUID

from apps.common.events import Event


@dataclass(frozen=True, kw_only=True)
class NodeMoved(Event):
    """Something about a node is different: its contact, what it offers, what is wanted of it."""

    name = "node.moved"

    node_id: UUID

    @property
    def topics(self) -> list[str]:
        return [f"node.{self.node_id}", "fleet"]


@dataclass(frozen=True, kw_only=True)
class RoomChanged(NodeMoved):
    """Something was reserved on a node, or given back: shown, and no reason to plan anew."""


@dataclass(frozen=True, kw_only=True)
class NodeJoined(Event):
    """A node has used an invitation: whoever made it can greet exactly this one."""

    name = "node.joined"

    node_id: UUID
    node_name: str
    join_token_id: UUID

    @property
    def topics(self) -> list[str]:
        return ["fleet"]
