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
    """The sentence of a code; the code itself if nobody wrote one."""
    text = catalogue(language).get(code) or catalogue("en").get(code) or code
    return text.format_map(_Params(params))


class _Params(dict[str, Any]):
    """Parameters may come from a node: one that is missing must not hide the sentence."""

    def __missing__(self, key: str) -> str:
        return "?"
