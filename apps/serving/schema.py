"""The predict operation in the OpenAPI document: it is answered beside Django, which does not know
of it."""

from typing import Any

PATH = "/api/v1/endpoints/{endpoint_id}/predict"

_BYTES = {"schema": {"type": "string", "format": "binary"}}

PREDICT: dict[str, Any] = {
    "operationId": "endpoints_predict",
    "summary": "Ask an endpoint's model.",
    "description": "Also without `/api`, at the gateway's own address, which an endpoint's `url` "
    "names. Proof is a key of the endpoint (`dhk_...`), the token of a member of its project with "
    "`write`, a run's token, or on our own pages the session.",
    "tags": ["endpoints"],
    "security": [{"bearer": []}, {"session": []}],
    "parameters": [
        {
            "in": "path",
            "name": "endpoint_id",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        },
        {
            "in": "header",
            "name": "X-Request-Id",
            "required": False,
            "description": "Comes back with the answer; made if left out.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/PredictRequest"}},
            "application/octet-stream": _BYTES,
            "image/png": _BYTES,
            "image/jpeg": _BYTES,
            "image/webp": _BYTES,
            "image/gif": _BYTES,
            "image/bmp": _BYTES,
        },
    },
    "responses": {
        "200": {
            "description": "A prediction for each row.",
            "headers": {
                "X-Request-Id": {"schema": {"type": "string"}},
                "Server-Timing": {
                    "description": "`queue`, `model` and `total`, in milliseconds.",
                    "schema": {"type": "string"},
                },
            },
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Predictions"}}
            },
        }
    },
}

SCHEMAS: dict[str, Any] = {
    "PredictRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "inputs": {
                "type": "object",
                "description": "By the name of an input of the signature: its numbers, nested as "
                "its shape says, rows first.",
                "additionalProperties": {"type": "array", "items": {}},
            }
        },
    },
    "Predictions": {
        "type": "object",
        "required": ["model", "predictions"],
        "properties": {
            "model": {"type": "string", "description": "name@version, of whichever answered."},
            "predictions": {
                "type": "array",
                "description": "One for each row; of classes `label`, `score` and `scores`.",
                "items": {},
            },
        },
    },
}


def describe_predict(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the operation that only the gateway answers."""
    result["paths"][PATH] = {"post": {**PREDICT, "responses": {**PREDICT["responses"]}}}
    result.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
    return result
