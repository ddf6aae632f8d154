"""Reading a request's JSON, strictly."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from apps.common.errors import DomainError

DEEPEST = 64


class BodyTooLarge(DomainError):
    """The body of a request is larger than is read."""

    status = 413


class MalformedJson(DomainError):
    """The body is not JSON that can be stored."""

    status = 400


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: no NaN, no Infinity, nothing that Postgres cannot keep."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(most + 1)
        if len(raw) > most:
            raise BodyTooLarge(most=most)
        try:
            value = json.loads(
                raw.decode("utf-8"), parse_constant=_no_such_number, parse_float=_finite
            )
        except RecursionError as error:
            raise MalformedJson(why=f"it is nested deeper than {DEEPEST}") from error
        except ValueError as error:
            raise MalformedJson(why=str(error)) from error
        _check_texts(value)
        return value


def _no_such_number(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large a number")
    return number


def _check_texts(value: Any) -> None:
    """Refuse what would fail only in the database: NUL, lone surrogates, bottomless nesting."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEEPEST:
            raise MalformedJson(why=f"it is nested deeper than {DEEPEST}")
        if isinstance(item, str):
            if "\0" in item or any("\ud800" <= character <= "\udfff" for character in item):
                raise MalformedJson(why="a text holds a character that is none")
        elif isinstance(item, dict):
            waiting.extend((inner, depth + 1) for pair in item.items() for inner in pair)
        elif isinstance(item, list):
            waiting.extend((inner, depth + 1) for inner in item)
