"""What the serializers of all apps share."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


# no docstring: it would become the description of every subclass in the API's document
class StrictSerializer(serializers.Serializer[Any]):
    # refuses fields it does not know: a misspelt one must not silently mean its default

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(set(map(str, data)) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name: [f"There is no field of this name: {name}"] for name in unknown},
                    code="unknown_field",
                )
        return super().to_internal_value(data)
