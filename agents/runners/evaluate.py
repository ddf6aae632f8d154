"""Measure a model version on a dataset, with the model used exactly as serving uses it."""

import importlib
import os
from pathlib import Path
from typing import Protocol

import torch

from agents.protocol.results import EVALUATION_FILE, EvaluationResult, Signature
from agents.protocol.specs import DATA_INPUT, MODEL_INPUT, EvaluateSpec
from agents.runners.context import RunContext
from agents.runners.order import Order
from agents.runners.predictor import Predictor, device_to_use, set_up


class Recipe(Protocol):
    """The module ``evaluate`` of a recipe."""

    def evaluate(
        self,
        payload: EvaluateSpec,
        data: Path,
        predictor: Predictor,
        signature: Signature,
        run: RunContext,
    ) -> EvaluationResult:
        """Measure; pictures to look at are left among the outputs. Raises ``Failure``."""
        ...


def run(payload: EvaluateSpec, order: Order) -> None:
    """Leave ``evaluation.json`` and its examples."""
    context = RunContext(order)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    device = device_to_use()
    predictor, signature = set_up(order.inputs / MODEL_INPUT, device)
    context.say(f"a model of {signature.recipe} on {device}")
    recipe: Recipe = importlib.import_module(f"agents.recipes.{signature.recipe}.evaluate")
    result = recipe.evaluate(payload, order.inputs / DATA_INPUT, predictor, signature, context)
    context.leave(EVALUATION_FILE, result)
