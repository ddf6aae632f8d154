"""What the serializers of all apps share."""

import math
from collections.abc import Mapping
from datetime import datetime
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


class FiniteField(serializers.FloatField):
    # "nan" reads as a number that is neither too small nor too large, and no answer can show it
    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class MomentField(serializers.DateTimeField):
    # a time that can be reckoned with: an hour before the year 1 there is none
    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        if moment.year < 1970:
            self.fail("overflow")
        return moment


# a reason or a refusal, as people read it
class SaidSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    params = serializers.DictField()
    text = serializers.CharField(help_text="In the reader's language.")
