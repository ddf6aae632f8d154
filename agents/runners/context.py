"""All that a recipe may touch of the world around it."""

import json
import math
import time
from pathlib import Path
from typing import Any

import msgspec

from agents.protocol.base import Message, Resources
from agents.runners.order import Order


class RunContext:
    """Inputs, outputs and a voice."""

    def __init__(self, order: Order) -> None:
        self.inputs = order.inputs
        self.outputs = order.outputs
        self.resources: Resources = order.spec.resources
        self._metrics = order.metrics_file.open("a", buffering=1, encoding="utf-8")

    def input(self) -> Path:
        """The folder of the only input."""
        (folder,) = self.inputs.iterdir()
        return folder

    def report(self, step: int, **metrics: float) -> None:
        """Write metric points of a step; ``__`` in a name becomes ``/``."""
        line = {
            "step": step,
            "at": time.time(),
            "metrics": {name.replace("__", "/"): _plain(v) for name, v in metrics.items()},
        }
        self._metrics.write(json.dumps(line) + "\n")

    def say(self, text: str) -> None:
        """A line in the log."""
        print(text, flush=True)  # noqa: T201 - standard output is the log

    def leave(self, name: str, result: Message) -> None:
        """Leave a result file among the outputs."""
        body = msgspec.json.format(msgspec.json.encode(result))
        (self.outputs / name).write_bytes(body)


def _plain(value: Any) -> float | str:
    """JSON has no NaN: it travels as a word, see docs/job-contract.md."""
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
