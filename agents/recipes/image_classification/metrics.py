"""How good the network is, on data it never saw."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from agents.protocol.results import EvaluationResult
from agents.recipes.image_classification.data import Split
from agents.recipes.image_classification.model import scaled

BATCH = 500


@torch.inference_mode()
def evaluate(
    model: nn.Module, split: Split, *, labels: list[str], name: str, device: torch.device
) -> EvaluationResult:
    """Mean cross-entropy and accuracy; precision and recall per class; the confusion matrix."""
    model.eval()
    loss = 0.0
    confusion = torch.zeros((len(labels), len(labels)), dtype=torch.int64)
    for start in range(0, len(split), BATCH):
        images = scaled(split.images[start : start + BATCH].to(device))
        truth = split.labels[start : start + BATCH].to(device)
        logits = model(images)
        loss += cross_entropy(logits, truth, reduction="sum").item()
        pairs = truth.cpu() * len(labels) + logits.argmax(1).cpu()
        confusion += torch.bincount(pairs, minlength=len(labels) ** 2).view_as(confusion)
    accuracy = confusion.trace().item() / len(split)
    return EvaluationResult(
        split=name,
        samples=len(split),
        metrics={"loss": loss / len(split), "accuracy": accuracy},
        per_class=_per_class(confusion, labels),
        confusion=confusion.tolist(),
        labels=labels,
    )


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
