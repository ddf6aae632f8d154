"""What every HTTP door shares: problem documents, rendered reasons, create-once, health."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast
from uuid import UUID

import redis
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import ProtectedError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.common import messages
from apps.common.errors import DomainError, InputRefused
from apps.common.models import IdempotencyKey
from apps.common.parsers import BodyTooLarge

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"


# problem documents


def problem(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Turn a refusal into a problem document (RFC 9457) in the reader's language."""
    set_rollback()
    request = context.get("request")
    match error:
        case InputRefused():
            language = language_of(request)
            errors = [
                {
                    "field": refusal.field,
                    "code": refusal.code,
                    "detail": messages.render(refusal.code, refusal.params, language),
                }
                for refusal in error.refusals
            ]
            return problem_response(request, error.status, error.code, {}, errors=errors)
        case DomainError():
            return problem_response(request, error.status, error.code, error.params)
        case exceptions.ValidationError():
            errors = _field_errors(error.get_full_details())
            return problem_response(request, 400, "input_refused", {}, errors=errors)
        case exceptions.Throttled():
            seconds = int(getattr(error, "wait", None) or 1)
            return problem_response(request, 429, "too_many_requests", {"seconds": seconds})
        case exceptions.MethodNotAllowed():
            method = getattr(request, "method", "")
            return problem_response(request, 405, "method_not_allowed", {"method": method})
        case exceptions.APIException():
            code = _CODES.get(error.status_code, "request_refused")
            return problem_response(request, error.status_code, code, {})
        case Http404():
            return problem_response(request, 404, "not_found", {})
        case PermissionDenied():
            return problem_response(request, 403, "forbidden", {})
        case RequestDataTooBig():
            most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return problem_response(request, 413, BodyTooLarge.code, {"most": most})
        case ProtectedError():
            return problem_response(request, 409, "still_in_use", {})
        case OperationalError() | InterfaceError():
            log.warning("the database does not answer: %s", error)
            return problem_response(request, 503, "database_away", {"seconds": 5})
        case _:
            return None


_CODES = {
    400: "request_refused",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    415: "unsupported_media_type",
    500: "internal_error",
}


def problem_response(
    request: Any,
    status: int,
    code: str,
    params: Mapping[str, Any],
    *,
    errors: list[dict[str, str]] | None = None,
) -> HttpResponse:
    language = language_of(request)
    body: dict[str, Any] = {
        "type": f"urn:datahall:problem:{code}",
        "title": messages.render(f"status_{status}", {}, language),
        "status": status,
        "detail": messages.render(code, params, language),
        "code": code,
        "params": params,
    }
    if errors is not None:
        body["errors"] = errors
    response = HttpResponse(_json(body), status=status, content_type=PROBLEM_TYPE)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="datahall"'
    if "seconds" in params and status in (429, 503):
        response["Retry-After"] = str(params["seconds"])
    return response


def _field_errors(details: Any, field: str = "") -> list[dict[str, str]]:
    """DRF's nested details, flat: `files.0.path` names the field."""
    match details:
        case {"message": message, "code": code} if not isinstance(message, list | dict):
            return [{"field": field, "code": str(code), "detail": str(message)}]
        case dict():
            return [
                one
                for name, inner in details.items()
                for one in _field_errors(inner, _join(field, name))
            ]
        case list():
            return [
                one
                for index, inner in enumerate(details)
                for one in _field_errors(
                    inner, field if _is_leaf(inner) else _join(field, str(index))
                )
            ]
        case _:
            return [{"field": field, "code": "invalid", "detail": str(details)}]


def _is_leaf(details: Any) -> bool:
    return isinstance(details, dict) and set(details) == {"message", "code"}


def _join(field: str, name: str) -> str:
    if name == "non_field_errors":
        return field
    return f"{field}.{name}" if field else name


# outside DRF: what Django itself refuses


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return problem_response(request, 400, "request_refused", {})


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return problem_response(request, 403, "forbidden", {})


@csrf_exempt  # there is nothing here to protect: an unknown path is not there, however it is asked
def not_found(request: HttpRequest, exception: Exception | None = None, **_: Any) -> HttpResponse:
    return problem_response(request, 404, "not_found", {})


def server_error(request: HttpRequest) -> HttpResponse:
    return problem_response(request, 500, "internal_error", {})


# texts


def language_of(request: Any) -> str:
    """The catalogue's language for a reader, by `Accept-Language`."""
    language = getattr(request, "LANGUAGE_CODE", None) or translation.get_language() or "en"
    return "zh-CN" if language.startswith("zh") else "en"


def rendered(reason: Mapping[str, Any] | None, request: Any) -> dict[str, Any] | None:
    """A stored reason with its text in the reader's language: `{code, params, text}`."""
    if reason is None:
        return None
    params = reason.get("params") or {}
    text = messages.render(reason["code"], params, language_of(request))
    return {"code": reason["code"], "params": params, "text": text}


# create once


class IdempotencyMismatch(DomainError):
    """The key was used for another request."""

    status = 422


class IdempotencyKeyRefused(DomainError):
    """The key is not a short printable text."""

    status = 400


class IdempotentCreateMixin:
    """`Idempotency-Key` on a viewset's create: a request sent twice makes one thing.

    The answer is kept in the transaction that makes the thing; a second request that arrives
    meanwhile waits on the key's row and gets the first one's answer. Not for answers with a secret.
    """

    action: str
    post: Callable[..., Response]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if self.action == "create" and "Idempotency-Key" in request.headers:
            self.post = partial(_once, self.post)


def _once(create: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
    key = request.headers["Idempotency-Key"]
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise IdempotencyKeyRefused
    holder: UUID = cast(Any, request.user).id  # of a person or of a run
    asked = _request_sha256(request)
    with transaction.atomic():
        row = IdempotencyKey(holder=holder, key=key, request_sha256=asked)
        # waits for whoever is at work under this key to commit or to give up
        IdempotencyKey.objects.bulk_create([row], ignore_conflicts=True)
        stored = IdempotencyKey.objects.select_for_update().get(holder=holder, key=key)
        if stored.request_sha256 != asked:
            raise IdempotencyMismatch
        if stored.status is not None:
            return Response(
                stored.body, status=stored.status, headers={"Idempotent-Replayed": "true"}
            )
        response = create(request, *args, **kwargs)
        stored.status = response.status_code
        stored.body = json.loads(JSONRenderer().render(response.data))
        stored.save(update_fields=["status", "body"])
        return response


def _request_sha256(request: Request) -> str:
    meaning = [request.method, request.path, request.data]
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


# health


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """This process and what it cannot work without: 200, or 503 with what is missing."""
    checks = {"database": _database_answers(), "redis": _redis_answers()}
    good = all(checks.values())
    return JsonResponse(
        {"status": "ok" if good else "unavailable", "checks": checks}, status=200 if good else 503
    )


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("not ready, the database does not answer: %s", error)
        return False
    return True


def _redis_answers() -> bool:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError as error:
        log.warning("not ready, Redis does not answer: %s", error)
        return False
    finally:
        client.close()


def _json(body: Any) -> bytes:
    return JSONRenderer().render(body)
