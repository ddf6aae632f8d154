"""Run a recipe that ships with the agent."""

import importlib
from pathlib import PurePosixPath

from agents.protocol.recipes import all_manifests
from agents.protocol.specs import RecipeSpec
from agents.protocol.workloads import Cause
from agents.runners.context import RunContext
from agents.runners.failure import Failure
from agents.runners.order import Order


def run(payload: RecipeSpec, order: Order) -> None:
    """Train by the recipe's own ``train(parameters, run)``."""
    name = PurePosixPath(payload.recipe).name  # it becomes part of an import
    manifest = all_manifests().get(name)
    if manifest is None:
        raise Failure("recipe_not_on_node", cause=Cause.ENVIRONMENT, recipe=payload.recipe)
    defaults = {parameter.name: parameter.default for parameter in manifest.parameters}
    training = importlib.import_module(f"agents.recipes.{name}.train")
    training.train(defaults | payload.parameters, RunContext(order))
