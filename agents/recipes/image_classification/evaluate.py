"""Measure a model version on pictures by class, in pieces that need little memory."""

import heapq
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.protocol.results import EvaluationResult, Example, Signature
from agents.protocol.specs import EvaluateSpec
from agents.recipes.image_classification.data import chosen, read
from agents.recipes.image_classification.metrics import Tally
from agents.recipes.image_classification.model import scaled
from agents.runners.context import RunContext
from agents.runners.importing.layout import Picture
from agents.runners.importing.pictures import decode, save_thumbnail
from agents.runners.predictor import Predictor

PIECE = 256  # pictures
SAY_EVERY = 0.1  # of the pictures


class Seen(NamedTuple):
    """A picture and what the model made of it, ordered by how much it is worth looking at."""

    worth: float
    number: int
    picture: Picture
    predicted: str
    score: float


def evaluate(
    payload: EvaluateSpec, data: Path, predictor: Predictor, signature: Signature, run: RunContext
) -> EvaluationResult:
    """Metrics on the chosen split, with examples; raises ``Failure`` for unusable data."""
    labels = signature.labels
    pictures, split = chosen(data, payload.split, labels)
    run.say(f"{len(pictures)} pictures of split {split!r}, {len(labels)} classes")
    _, channels, size, _ = signature.inputs[0].shape
    assert size is not None  # `setup` has looked
    mode = "RGB" if channels == 3 else "L"
    tally, gallery = Tally(labels), Gallery(payload.max_examples)
    said = 0.0
    for start in range(0, len(pictures), PIECE):
        piece = pictures[start : start + PIECE]
        numbers = read(data, piece, labels, size, mode)
        logits = predictor.predict(predictor.batch([scaled(numbers.images).numpy()])).float().cpu()
        tally.add(logits, numbers.labels)
        scores, winners = logits.double().softmax(1).max(1)
        gallery.add(start, piece, [labels[n] for n in winners.tolist()], scores.tolist())
        done = tally.samples / len(pictures)
        metrics = tally.metrics()
        named = {f"evaluation__{name}": value for name, value in metrics.items()}
        run.report(tally.samples, progress=done, **named)
        if done >= said + SAY_EVERY or done == 1:
            said = done
            run.say(f"{tally.samples} of {len(pictures)}: accuracy {metrics['accuracy']:.4f}")
    examples = gallery.hang(data, run.outputs)
    return msgspec.structs.replace(tally.result(split), examples=examples)


class Gallery:
    """The pictures kept to look at: the surest of the wrong, then the least sure of the right."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._wrong: list[Seen] = []
        self._right: list[Seen] = []

    def add(
        self, start: int, pictures: list[Picture], predicted: list[str], scores: list[float]
    ) -> None:
        for number, (picture, label, score) in enumerate(
            zip(pictures, predicted, scores, strict=True), start
        ):
            right = picture.label == label
            seen = Seen(-score if right else score, -number, picture, label, score)
            heap = self._right if right else self._wrong
            heapq.heappush(heap, seen)
            if len(heap) > self._room:
                heapq.heappop(heap)

    def hang(self, data: Path, outputs: Path) -> list[Example]:
        """Leave each as a small PNG among the outputs."""
        best = [*sorted(self._wrong, reverse=True), *sorted(self._right, reverse=True)]
        examples = []
        for number, seen in enumerate(best[: self._room]):
            name = f"examples/{number:04}.png"
            save_thumbnail(decode(data / seen.picture.path), outputs / name)
            examples.append(
                Example(
                    path=name,
                    truth=seen.picture.label,
                    predicted=seen.predicted,
                    score=seen.score,
                )
            )
        return examples
