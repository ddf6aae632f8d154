from typing import Any

from rest_framework import serializers

from apps.accounts.credentials import KEY_PREFIX
from apps.common.serializers import FiniteField, StrictSerializer
from apps.serving.lineage import Kind, Role
from apps.serving.models import Key, ReplicaState
from apps.serving.reconciliation import EndpointState
from apps.workloads.shapes import (
    ReasonField,
    ResourcesSerializer,
    RunNodeSerializer,
    WantedResourcesSerializer,
)

MOST_REPLICAS = 64
MOST_ROWS = 4096  # of one batch
MODEL_HELP = "A model version: `name`, `name@version`, or its id."


# --- what people send ----------------------------------------------------------------------------


class LimitsSerializer(StrictSerializer):
    max_queue = serializers.IntegerField(
        min_value=1, max_value=100_000, required=False, help_text="Calls that may wait."
    )
    timeout_seconds = FiniteField(
        min_value=0.1, max_value=600, required=False, help_text="From a call to its answer."
    )


class EndpointCreateSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    model = serializers.CharField(max_length=200, help_text=MODEL_HELP)
    replicas = serializers.IntegerField(min_value=0, max_value=MOST_REPLICAS, default=1)
    resources = WantedResourcesSerializer(required=False)
    max_batch = serializers.IntegerField(
        min_value=1, max_value=MOST_ROWS, default=64, help_text="Rows computed together."
    )
    max_queue = serializers.IntegerField(min_value=1, max_value=100_000, default=1024)
    timeout_seconds = FiniteField(min_value=0.1, max_value=600, default=30.0)


class DeploySerializer(StrictSerializer):
    model = serializers.CharField(max_length=200, help_text=MODEL_HELP)
    resources = WantedResourcesSerializer(required=False)
    max_batch = serializers.IntegerField(min_value=1, max_value=MOST_ROWS, required=False)


class RollbackSerializer(StrictSerializer):
    deployment = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="The number to return to; else the newest sound one that differs.",
    )


class ScaleSerializer(StrictSerializer):
    replicas = serializers.IntegerField(min_value=0, max_value=MOST_REPLICAS)


class EndpointKeyCreateSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    expires_in_days = serializers.IntegerField(min_value=1, max_value=365, default=90)
    requests_per_minute = serializers.IntegerField(
        min_value=1, max_value=10_000_000, required=False, allow_null=True, default=None
    )


class ReplicaLogWindowSerializer(serializers.Serializer[Any]):
    offset = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    limit = serializers.IntegerField(min_value=4, max_value=1024 * 1024, default=256 * 1024)


# --- what people see -----------------------------------------------------------------------------


class ServedVersionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    model = serializers.CharField(source="model.name")
    number = serializers.IntegerField()


class DeploymentSerializer(serializers.Serializer[Any]):
    """What an endpoint serves, or once served."""

    number = serializers.IntegerField()
    version = ServedVersionSerializer()
    resources = ResourcesSerializer()
    max_batch = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    given_up_at = serializers.DateTimeField(allow_null=True)
    reason = ReasonField()


class EndpointSerializer(serializers.Serializer[Any]):
    """An address that answers calls."""

    id = serializers.UUIDField(source="endpoint.id")
    name = serializers.CharField(source="endpoint.name")
    url = serializers.CharField(help_text="Where predictions are asked for, by POST.")
    state = serializers.ChoiceField(choices=[state.value for state in EndpointState])
    reason = ReasonField()
    replicas_wanted = serializers.IntegerField(source="endpoint.replicas_wanted")
    replicas_ready = serializers.IntegerField()
    deployment = DeploymentSerializer()
    previous = DeploymentSerializer(allow_null=True, help_text="An older one that still serves.")
    signature = serializers.DictField()
    max_queue = serializers.IntegerField(source="endpoint.max_queue")
    timeout_seconds = serializers.FloatField(source="endpoint.timeout_seconds")
    created_at = serializers.DateTimeField(source="endpoint.created_at")
    created_by = serializers.CharField(
        source="endpoint.created_by.username", allow_null=True, default=None
    )


class ReplicaSerializer(serializers.Serializer[Any]):
    """One running copy of a deployment."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    deployment = serializers.IntegerField()
    state = serializers.ChoiceField(choices=ReplicaState.choices)
    reason = ReasonField()
    node = RunNodeSerializer(allow_null=True)
    workload = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ready_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class EndpointKeySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.SerializerMethodField(help_text="How its text begins.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    requests_per_minute = serializers.IntegerField(allow_null=True)

    def get_prefix(self, key: Key) -> str:
        return f"{KEY_PREFIX}_{key.id.hex[:8]}"


class EndpointKeyCreatedSerializer(EndpointKeySerializer):
    """With the key's text, which is shown this once."""

    key = serializers.CharField()


class LineageNodeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    name = serializers.CharField()
    number = serializers.IntegerField(allow_null=True)
    state = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class LineageEdgeSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=[role.value for role in Role])

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        ends = {  # `from` cannot be an attribute's name
            "from": serializers.UUIDField(source="source"),
            "to": serializers.UUIDField(source="target"),
        }
        return {**ends, **super().get_fields()}


class LineageSerializer(serializers.Serializer[Any]):
    """What a model came from and what came of it; an edge goes from the earlier to the later."""

    nodes = LineageNodeSerializer(many=True)
    edges = LineageEdgeSerializer(many=True)


class EndpointEventSerializer(serializers.Serializer[Any]):
    """Something that happened to an endpoint."""

    at = serializers.DateTimeField()
    what = ReasonField()
    actor = serializers.CharField(allow_null=True, help_text="Who did it; null: nobody asked.")
