"""The message catalogue: every code a person may see, in every language.

Each app keeps its own in `messages/en.json` and `messages/zh-CN.json`, code -> text with
`{parameters}`. The front end bundles the same files, so a page and the API never disagree.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

APPS = Path(__file__).parents[1]
LANGUAGES = ("en", "zh-CN")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Every code's text in a language."""
    texts: dict[str, str] = {}
    for path in sorted(APPS.glob(f"*/messages/{language}.json")):
        texts.update(json.loads(path.read_text("utf-8")))
    return texts


def render(code: str, params: Mapping[str, Any], language: str) -> str:
    """The sentence of a code; the code itself if nobody wrote one.

    A parameter that is a reason of its own is rendered too, and so is a `why` that is a code.
    """
    text = _text(code, language) or code
    return text.format_map(
        _Params({name: _spoken(name, value, language) for name, value in params.items()})
    )


def _text(code: str, language: str) -> str | None:
    return catalogue(language).get(code) or catalogue("en").get(code)


def _spoken(name: str, value: Any, language: str) -> Any:
    if isinstance(value, Mapping) and "code" in value:
        return render(value["code"], value.get("params") or {}, language)
    if name == "why" and isinstance(value, str):
        return _text(value, language) or value
    return value


class _Params(dict[str, Any]):
    """Parameters may come from a node: one that is missing must not hide the sentence."""

    def __missing__(self, key: str) -> str:
        return "?"
