"""What the OpenAPI document says about every operation."""

from typing import Any

from drf_spectacular import openapi

from apps.common.api import IdempotentCreateMixin

PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` and `params` are for programs, `detail` is the "
    "same as a sentence in the language of `Accept-Language`.",
    "required": ["type", "title", "status", "detail", "code", "params"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "params": {"type": "object", "additionalProperties": True},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request gives the same answer and makes one thing.",
    "schema": {"type": "string", "maxLength": 255},
}


class AutoSchema(openapi.AutoSchema):
    """Names the create-once header where there is one."""

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super()._get_parameters()
        once = isinstance(self.view, IdempotentCreateMixin) and self.view.action == "create"
        return [*parameters, IDEMPOTENCY_KEY] if once else parameters


def describe_problems(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Say of every operation that its refusals are problem documents."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    refusal = {
        "description": "A refusal.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = refusal
    return result
