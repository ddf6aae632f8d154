"""Recompute the accuracy of a downloaded model without Datahall: plain torch, Pillow and a zip.

    datahall models download digits --to model
    python examples/digits/evaluate.py model examples/digits/digits.zip

Prints the accuracy on the test digits, to compare with the one that was registered.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn


def main(model_folder: Path, digits: Path) -> None:
    signature = json.loads((model_folder / "signature.json").read_text())
    labels = signature["labels"]
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1600, len(labels)),
    )
    model.load_state_dict(load_file(model_folder / signature["weights"]))
    images, truth = read(digits, labels)
    with torch.inference_mode():
        predicted = model(images * signature["preprocessing"]["scale"]).argmax(1)
    accuracy = (predicted == truth).double().mean().item()
    json.dump({"accuracy": accuracy, "samples": len(truth)}, sys.stdout)
    sys.stdout.write("\n")


def read(digits: Path, labels: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    images, truth = [], []
    with zipfile.ZipFile(digits) as archive:
        for name in archive.namelist():
            if not name.startswith("test/"):
                continue
            image = Image.open(io.BytesIO(archive.read(name))).convert("L")
            images.append(torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8))
            truth.append(labels.index(name.split("/")[1]))
    return torch.stack(images).view(-1, 1, 28, 28).float(), torch.tensor(truth)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
