from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.protocol.faults import Action
from apps.common.api import rendered
from apps.common.serializers import SaidSerializer, StrictSerializer
from apps.fleet.models import Device, JoinToken, Node, NodeEvent


class DeviceSerializer(serializers.ModelSerializer[Device]):
    class Meta:
        model = Device
        fields = [
            "id",
            "uuid",
            "index",
            "name",
            "memory_bytes",
            "simulated",
            "present",
            "parent",
            "divided",
            "healthy",
            "unhealthy_at",
            "health_reason",
            "health_action",
            "facts",
        ]
        read_only_fields = fields

    facts = serializers.DictField(read_only=True)
    health_reason = serializers.SerializerMethodField(help_text="Why it gets no new work.")
    health_action = serializers.ChoiceField(
        choices=[action.value for action in Action],
        read_only=True,
        allow_blank=True,
        help_text="What has to be done with it before it is cleared.",
    )

    @extend_schema_field(SaidSerializer(allow_null=True))
    def get_health_reason(self, device: Device) -> dict[str, Any] | None:
        reason: dict[str, Any] | None = device.health_reason
        return None if reason is None else rendered(reason, self.context["request"])


class IsolationSerializer(serializers.Serializer[Any]):
    """What a job on a node is kept from, and by what."""

    profile = serializers.CharField(
        help_text="`bwrap`: its own files and devices alone. `none`: whatever the agent's user can."
    )
    reason = SaidSerializer(allow_null=True, help_text="Why it is `none`, and what would mend it.")
    limits = serializers.ListField(
        child=serializers.CharField(),
        help_text="What the kernel holds jobs to: `memory`, `processes`, or neither.",
    )


@extend_schema_field(IsolationSerializer(allow_null=True))
class IsolationField(serializers.Field[Any, Any, Any, Any]):
    """As the agent told it, with the reason's sentence; null until an agent tells."""

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        reason = rendered(value.get("reason"), self.context["request"])
        return {
            "profile": value["profile"],
            "reason": reason,
            "limits": value.get("limits", []),
        }


class NodeSerializer(serializers.ModelSerializer[Node]):
    class Meta:
        model = Node
        fields = [
            "id",
            "name",
            "hostname",
            "simulated",
            "contact",
            "last_contact_at",
            "cordoned_at",
            "cordon_reason",
            "cpu_millis",
            "memory_bytes",
            "disk_bytes",
            "reserved_cpu_millis",
            "reserved_memory_bytes",
            "agent_version",
            "protocol_version",
            "clock_offset_ms",
            "facts",
            "isolation",
            "devices",
            "join_token",
            "created_at",
        ]
        read_only_fields = fields

    facts = serializers.DictField(read_only=True)
    isolation = IsolationField(read_only=True, allow_null=True)
    devices = DeviceSerializer(many=True, read_only=True)
    join_token = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The invitation that brought it in."
    )


class CordonSerializer(StrictSerializer):
    """Why a node is to take no new work, for whoever wonders."""

    reason = serializers.CharField(max_length=200, allow_blank=True, default="")


class NodeEventSerializer(serializers.ModelSerializer[NodeEvent]):
    """Something that happened to a node.

    `detail` may hold `from`, `to` and `reason`; of a device `device`, `index`, `fault`, `xid` and
    `action`.
    """

    class Meta:
        model = NodeEvent
        fields = ["id", "at", "kind", "actor_kind", "actor_name", "detail"]
        read_only_fields = fields

    detail = serializers.DictField(read_only=True)


class UsedBySerializer(serializers.Serializer[Node]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class JoinTokenSerializer(serializers.ModelSerializer[JoinToken]):
    class Meta:
        model = JoinToken
        fields = ["id", "created_by", "created_at", "expires_at", "used_at", "node", "used_by"]
        read_only_fields = fields

    created_by = serializers.CharField(source="created_by.username", read_only=True)
    used_by = UsedBySerializer(
        source="node", read_only=True, allow_null=True, help_text="The node that it let in."
    )


class InvitationSerializer(serializers.Serializer[Any]):
    """A join token's text, which is told this once, and how to use it."""

    id = serializers.UUIDField()
    token = serializers.CharField()
    url = serializers.CharField(help_text="The address that the node is to call.")
    command = serializers.CharField(help_text="What to run on the node.")
    expires_at = serializers.DateTimeField()
