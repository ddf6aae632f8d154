"""Whatever the server says no with has a text in every language."""

import ast
import json
import string
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import apps
from apps.common.errors import DomainError
from apps.common.messages import LANGUAGES, catalogue

ROOT = Path(__file__).parents[2]
BEARERS = {"Reason", "Failed", "Failure"}  # the last two are how agents say one
FILES = sorted(ROOT.glob("apps/*/messages/en.json"))


def refusals() -> Iterator[type[DomainError]]:
    for module in walk_packages(apps.__path__, "apps."):
        if ".migrations" not in module.name:
            import_module(module.name)
    waiting = DomainError.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("apps."):
            yield kind


def reasons() -> Iterator[tuple[str, str]]:
    """Every literal code of a reason, or of what becomes one, with where it stands."""
    for path in sorted([*ROOT.glob("apps/**/*.py"), *ROOT.glob("agents/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in BEARERS:
                named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                for code in (*node.args[:1], *named):
                    if isinstance(code, ast.Constant):
                        yield str(code.value), f"{path.relative_to(ROOT)}:{node.lineno}"


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", getattr(function, "id", ""))


def parameters(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("path", FILES, ids=[path.parts[-3] for path in FILES])
class TestCatalogue:
    def test_says_the_same_in_every_language(self, path: Path) -> None:
        english = json.loads(path.read_text("utf-8"))

        for language in LANGUAGES:
            texts = json.loads((path.parent / f"{language}.json").read_text("utf-8"))
            assert set(texts) == set(english)
            assert {code: parameters(text) for code, text in texts.items()} == {
                code: parameters(text) for code, text in english.items()
            }

    def test_is_sorted_so_that_two_hands_rarely_meet(self, path: Path) -> None:
        for language in LANGUAGES:
            codes = list(json.loads((path.parent / f"{language}.json").read_text("utf-8")))
            assert codes == sorted(codes)

    def test_is_chinese_in_chinese(self, path: Path) -> None:
        texts = json.loads((path.parent / "zh-CN.json").read_text("utf-8"))

        for code, text in texts.items():
            assert any("\u4e00" <= character <= "\u9fff" for character in text), code


def test_no_code_means_two_things() -> None:
    codes = [code for path in FILES for code in json.loads(path.read_text("utf-8"))]

    assert len(codes) == len(set(codes))


def test_every_refusal_has_a_text() -> None:
    missing = {
        kind.code: kind.__qualname__ for kind in refusals() if kind.code not in catalogue("en")
    }

    assert missing == {}


def test_every_reason_has_a_text() -> None:
    missing = {code: place for code, place in reasons() if code not in catalogue("en")}

    assert missing == {}


def deeds() -> Iterator[tuple[str, str]]:
    """Every action that the audit may hold of a project, with where it stands."""
    for path in sorted(ROOT.glob("apps/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) in {"record", "_say"}:
                for value in node.args[1:2]:
                    if isinstance(value, ast.Constant) and "." in str(value.value):
                        yield str(value.value), f"{path.relative_to(ROOT)}:{node.lineno}"


# of the installation or of one person, never of a project; or too many to be told of
UNTOLD = ("session.", "token.", "user.", "node.", "join_token.", "artifact.")


def test_every_deed_in_a_project_has_a_sentence() -> None:
    known = {action for action, _ in deeds()}
    missing = {
        action: place
        for action, place in deeds()
        if not action.startswith(UNTOLD)
        and f"did_{action.replace('.', '_')}" not in catalogue("en")
    }

    assert {"job.submit", "member.add", "model.register"} <= known
    assert missing == {}
