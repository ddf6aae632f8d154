"""How good the network is, on data it never saw."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from agents.protocol.results import EvaluationResult
from agents.recipes.image_classification.data import Split
from agents.recipes.image_classification.model import scaled

BATCH = 500
MAX_CONFUSED = 200  # classes; a larger matrix would not fit into a result, nor be looked at


class Tally:
    """Counts as batches go by; what it holds does not grow with the data."""

    def __init__(self, labels: list[str]) -> None:
        self._labels = labels
        self._loss = 0.0
        self._confusion = torch.zeros((len(labels), len(labels)), dtype=torch.int64)

    def add(self, logits: Tensor, truth: Tensor) -> None:
        """Outputs of the network and what they should have been, as numbers of labels."""
        self._loss += cross_entropy(logits, truth, reduction="sum").item()
        pairs = truth.cpu() * len(self._labels) + logits.argmax(1).cpu()
        counts = torch.bincount(pairs, minlength=len(self._labels) ** 2)
        self._confusion += counts.view_as(self._confusion)

    @property
    def samples(self) -> int:
        return int(self._confusion.sum().item())

    def metrics(self) -> dict[str, float]:
        """Mean cross-entropy, accuracy, and the mean F1 of the classes that occur."""
        return {
            "loss": self._loss / self.samples,
            "accuracy": self._confusion.trace().item() / self.samples,
            "macro_f1": _macro_f1(self._confusion),
        }

    def result(self, split: str) -> EvaluationResult:
        few = len(self._labels) <= MAX_CONFUSED
        return EvaluationResult(
            split=split,
            samples=self.samples,
            metrics=self.metrics(),
            per_class=_per_class(self._confusion, self._labels),
            confusion=self._confusion.tolist() if few else [],
            labels=self._labels,
        )


@torch.inference_mode()
def evaluate(
    model: nn.Module, split: Split, *, labels: list[str], name: str, device: torch.device
) -> EvaluationResult:
    """Measure a network on a split that fits into memory."""
    model.eval()
    tally = Tally(labels)
    for start in range(0, len(split), BATCH):
        images = scaled(split.images[start : start + BATCH].to(device))
        tally.add(model(images), split.labels[start : start + BATCH].to(device))
    return tally.result(name)


def _macro_f1(confusion: Tensor) -> float:
    confusion = confusion.double()
    seen = confusion.sum(0) + confusion.sum(1)  # of each class: in the data, and predicted
    f1 = 2 * confusion.diagonal() / seen.clamp(min=1)
    return f1[seen > 0].mean().item()


def _per_class(confusion: Tensor, labels: list[str]) -> dict[str, dict[str, float]]:
    confusion = confusion.double()
    right = confusion.diagonal()
    # a class that was never predicted, or is not in the split, has 0 and not NaN
    precision = right / confusion.sum(0).clamp(min=1)
    recall = right / confusion.sum(1).clamp(min=1)
    return {
        label: {"precision": precision[index].item(), "recall": recall[index].item()}
        for index, label in enumerate(labels)
    }
