"""A recipe's manifest.yaml, typed. Both sides read it as data; only a runner imports the recipe."""

from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from agents.protocol.base import Message, Resources

RECIPES = Path(__file__).parents[1] / "recipes"


class Parameter(Message):
    """One field of the form."""

    name: str
    type: Literal["int", "float", "bool", "choice"]
    default: Any
    label: dict[str, str]  # language -> text
    help: dict[str, str] = {}
    minimum: float | None = None
    maximum: float | None = None
    choices: list[Any] = []

    def refuse(self, value: Any) -> str | None:
        """The message code that says what is wrong with a value, or None."""
        match self.type:
            case "int" if isinstance(value, bool) or not isinstance(value, int):
                return "parameter_not_integer"
            case "float" if isinstance(value, bool) or not isinstance(value, int | float):
                return "parameter_not_number"
            case "bool" if not isinstance(value, bool):
                return "parameter_not_boolean"
            case "choice" if value not in self.choices:
                return "parameter_not_a_choice"
        if self.minimum is not None and value < self.minimum:
            return "parameter_too_small"
        if self.maximum is not None and value > self.maximum:
            return "parameter_too_large"
        return None


class Manifest(Message):
    name: str
    version: str
    task: str
    title: dict[str, str]
    summary: dict[str, str]
    accepts: list[str]  # kinds of `Profile` it trains on
    parameters: list[Parameter]
    resources: Resources  # a sensible default demand
    metrics: list[str]  # the first one is the main one
    serving: Resources | None = None  # a sensible demand of one replica; None: it cannot serve


def read_manifest(name: str) -> Manifest:
    """The manifest of a recipe; raises ``KeyError`` for a name that no recipe has."""
    manifests = all_manifests()
    return manifests[name]


def all_manifests() -> dict[str, Manifest]:
    """Every recipe that ships, by name."""
    return {
        path.parent.name: msgspec.convert(yaml.safe_load(path.read_text("utf-8")), Manifest)
        for path in sorted(RECIPES.glob("*/manifest.yaml"))
    }
