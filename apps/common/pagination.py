"""Pages by key: a page starts after a row, so rows that arrive meanwhile shift nothing."""

import datetime
from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.common.errors import DomainError

T = TypeVar("T")
DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200


class LimitRefused(DomainError):
    """`limit` is not a number of rows that a page may have."""

    status = 400


class CursorRefused(DomainError):
    """`cursor` was not given out for this list."""

    status = 400


class KeysetPagination(BasePagination):
    """`?cursor=&limit=` -> `{results, next, previous: null}`.

    The view's `ordering` names one or more fields of the model, none of them null; the primary key
    is added to make it total. A cursor is signed and holds for that order only.
    """

    ordering: tuple[str, ...]
    next_cursor: str | None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.ordering = _total(getattr(view, "ordering", "-created_at"))
        limit = _limit(request.query_params.get("limit"))
        if cursor := request.query_params.get("cursor"):
            queryset = queryset.filter(self._after(queryset.model, cursor))
        rows = list(queryset.order_by(*self.ordering)[: limit + 1])
        self.next_cursor = self._cursor(rows[limit - 1]) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next_cursor, "previous": None})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {
                "results": schema,
                "next": {
                    "type": ["string", "null"],
                    "description": "The `cursor` of the next page; null on the last.",
                },
                "previous": {"type": "null"},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "`next` of the page before.",
                "schema": {"type": "string"},
            },
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows of a page.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": LARGEST_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
        ]

    @property
    def _salt(self) -> str:
        return f"cursor:{','.join(self.ordering)}"

    def _cursor(self, row: Model) -> str:
        values = [_plain(getattr(row, field.lstrip("-"))) for field in self.ordering]
        return signing.dumps(values, salt=self._salt)

    def _after(self, model: type[Model], cursor: str) -> Q:
        """Rows that come after the cursor's: past it in the first field, or level and past it..."""
        try:
            values = signing.loads(cursor, salt=self._salt)
        except signing.BadSignature as error:
            raise CursorRefused from error
        after, level = Q(), Q()
        for ordered, value in zip(self.ordering, values, strict=True):
            field = ordered.lstrip("-")
            key = "pk" if field == "pk" else field
            beyond = "lt" if ordered.startswith("-") else "gt"
            after |= level & Q((f"{key}__{beyond}", value))
            level &= Q((key, value))
        return after


def page_of(rows: Sequence[T], request: Request, *, of: str) -> Response:
    """A page of rows that are put together in memory and only ever grow at their end.

    ``of`` says of what they are: a cursor holds for that list only.
    """
    limit, start = _limit(request.query_params.get("limit")), 0
    salt = f"place:{of}"
    if cursor := request.query_params.get("cursor"):
        try:
            start = signing.loads(cursor, salt=salt)
        except signing.BadSignature as error:
            raise CursorRefused from error
    end = start + limit
    after = signing.dumps(end, salt=salt) if end < len(rows) else None
    return Response({"results": rows[start:end], "next": after, "previous": None})


def _total(ordering: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    fields = (ordering,) if isinstance(ordering, str) else tuple(ordering)
    if {"id", "-id", "pk", "-pk"} & set(fields):
        return fields
    return (*fields, "-pk" if fields[-1].startswith("-") else "pk")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise LimitRefused(most=LARGEST_LIMIT)
    limit = int(text)
    if not 1 <= limit <= LARGEST_LIMIT:
        raise LimitRefused(most=LARGEST_LIMIT)
    return limit


def _plain(value: Any) -> Any:
    match value:
        case datetime.datetime():
            return value.isoformat()  # to the microsecond, unlike Django's encoder
        case UUID():
            return str(value)
        case _:
            return value
