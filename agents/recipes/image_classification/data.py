"""From a folder of pictures by class to tensors."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from agents.runners.failure import Failure
from agents.runners.importing.importer import files_below
from agents.runners.importing.layout import TEST, Picture, recognise
from agents.runners.importing.pictures import UnreadablePicture, decode

MOST_NAMED = 10
HELD_OUT_SHARE = 5  # one in five, where the data brings no test split of its own


@dataclass(frozen=True)
class Split:
    """Pictures as uint8 (N, C, H, W), labels as int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    train: Split
    test: Split
    test_name: str
    labels: list[str]
    channels: int


def load(root: Path, *, size: int, color: str, memory_bytes: int) -> Data:
    """Read every picture, scaled to ``size``; raises ``Failure`` for data that cannot be used."""
    found = recognise(files_below(root))
    if found.kind != "images_by_class":
        raise Failure("data_not_images_by_class", kind=found.kind)
    labels = sorted({picture.label for picture in found.pictures})
    mode = _mode(root, found.pictures, color)
    channels = len(mode) if mode == "RGB" else 1
    needed = len(found.pictures) * channels * size * size
    if needed > memory_bytes // 2:
        raise Failure("data_larger_than_memory", needed=needed, memory=memory_bytes)
    train, test = _split(found.pictures)
    if not train or not test:
        raise Failure("data_split_empty", split="test" if train else "train")
    return Data(
        train=read(root, train, labels, size, mode),
        test=read(root, test, labels, size, mode),
        test_name=test[0].split or "held-out",
        labels=labels,
        channels=channels,
    )


def chosen(root: Path, split: str, labels: list[str]) -> tuple[list[Picture], str]:
    """The pictures to measure a model with, and the name of their split; raises ``Failure``.

    With no split named: the data's own test split, or else all there is.
    """
    found = recognise(files_below(root))
    if found.kind != "images_by_class":
        raise Failure("data_not_images_by_class", kind=found.kind)
    pictures = [picture for picture in found.pictures if picture.split == split]
    if not split:
        test = [picture for picture in found.pictures if picture.split.lower() in TEST]
        pictures = test or found.pictures
        split = test[0].split if test else "all"
    if not pictures:
        known = sorted({picture.split for picture in found.pictures if picture.split})
        raise Failure("data_split_unknown", split=split, known=", ".join(known) or "-")
    unknown = sorted({picture.label for picture in pictures} - set(labels))
    if unknown:
        shown = ", ".join(unknown[:MOST_NAMED]) + (", ..." if unknown[MOST_NAMED:] else "")
        raise Failure("data_labels_unknown", unknown=len(unknown), labels=shown)
    return pictures, split


def _split(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """The data's own test split, or every fifth picture by a hash of its path: fixed for ever."""
    if any(picture.split.lower() in TEST for picture in pictures):
        test = [picture for picture in pictures if picture.split.lower() in TEST]
    else:
        test = [picture for picture in pictures if _hash(picture.path) % HELD_OUT_SHARE == 0]
    held_out = {picture.path for picture in test}
    return [picture for picture in pictures if picture.path not in held_out], test


def _hash(path: str) -> int:
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")


def _mode(root: Path, pictures: list[Picture], color: str) -> str:
    if color != "auto":
        return "RGB" if color == "rgb" else "L"
    grey = {"1", "L", "LA", "I", "I;16", "F"}
    for picture in pictures:
        with Image.open(root / picture.path) as image:  # reads the header only
            if image.mode not in grey:
                return "RGB"
    return "L"


def read(root: Path, pictures: list[Picture], labels: list[str], size: int, mode: str) -> Split:
    """Every picture, scaled to ``size``, as one tensor; raises ``Failure``."""
    channels = len(mode) if mode == "RGB" else 1
    images = torch.empty((len(pictures), channels, size, size), dtype=torch.uint8)
    for index, picture in enumerate(pictures):
        try:
            images[index] = to_tensor(decode(root / picture.path), size=size, mode=mode)
        except UnreadablePicture as error:
            raise Failure(
                "pictures_unreadable",
                broken=1,
                of=len(pictures),
                path=picture.path,
                why=error.why,
            ) from None
    number = {label: index for index, label in enumerate(labels)}
    return Split(images, torch.tensor([number[picture.label] for picture in pictures]))


def to_tensor(image: Image.Image, *, size: int, mode: str) -> Tensor:
    """uint8 (C, size, size); bilinear when the picture is of another size."""
    converted = image.convert(mode)
    if converted.size != (size, size):
        converted = converted.resize((size, size), Image.Resampling.BILINEAR)
    flat = torch.frombuffer(bytearray(converted.tobytes()), dtype=torch.uint8)
    return flat.view(size, size, -1).permute(2, 0, 1)
