"""Train, evaluate, and leave a model version."""

from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

from agents.protocol.results import EVALUATION_FILE, SIGNATURE_FILE, Signature, Tensor
from agents.recipes.image_classification.data import Data, Split, load
from agents.recipes.image_classification.metrics import evaluate
from agents.recipes.image_classification.model import build, scaled
from agents.runners.context import RunContext

WEIGHTS = "model.safetensors"
REPORT_EVERY = 10  # steps


def train(parameters: dict[str, Any], run: RunContext) -> None:
    """Adam with the one-cycle schedule (Smith and Topin, 2018) on cross-entropy."""
    torch.manual_seed(parameters["seed"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = parameters["image_size"]
    data = load(
        run.input(),
        size=size,
        color=parameters["color"],
        memory_bytes=run.resources.memory_bytes,
    )
    run.say(
        f"{len(data.train)} pictures to train with, {len(data.test)} to test with, "
        f"{len(data.labels)} classes, on {device}"
    )
    model = build(channels=data.channels, size=size, classes=len(data.labels)).to(device)
    fit(
        model,
        data.train,
        epochs=parameters["epochs"],
        batch_size=parameters["batch_size"],
        learning_rate=parameters["learning_rate"],
        run=run,
        device=device,
    )
    result = evaluate(model, data.test, labels=data.labels, name=data.test_name, device=device)
    steps = parameters["epochs"] * -(-len(data.train) // parameters["batch_size"])
    loss, accuracy = result.metrics["loss"], result.metrics["accuracy"]
    run.report(steps, test__loss=loss, test__accuracy=accuracy, progress=1.0)
    run.say(f"test loss {loss:.4f}, test accuracy {accuracy:.4f}")
    save_file(
        {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()},
        run.outputs / WEIGHTS,
    )
    run.leave(EVALUATION_FILE, result)
    run.leave(SIGNATURE_FILE, signature(model, data, size))


def fit(
    model: nn.Module,
    split: Split,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    run: RunContext,
    device: torch.device,
) -> None:
    """Train in place; ``learning_rate`` is the peak of the cycle."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # faster on a CPU
    images, labels = split.images.to(device), split.labels.to(device)
    steps_per_epoch = -(-len(split) // batch_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=learning_rate, total_steps=epochs * steps_per_epoch
    )
    model.train()
    step = 0
    for epoch in range(1, epochs + 1):
        right = torch.zeros((), device=device)
        summed, counted = torch.zeros((), device=device), 0
        for chosen in torch.randperm(len(split), device=device).split(batch_size):
            batch = scaled(images[chosen]).contiguous(memory_format=torch.channels_last)
            logits = model(batch)
            loss = cross_entropy(logits, labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            right += (logits.argmax(1) == labels[chosen]).sum()
            summed, counted = summed + loss.detach(), counted + 1
            if step % REPORT_EVERY == 0:
                run.report(
                    step,
                    train__loss=(summed / counted).item(),
                    learning_rate=float(schedule.get_last_lr()[0]),
                    progress=step / (epochs * steps_per_epoch),
                )
                summed, counted = torch.zeros((), device=device), 0
        accuracy = right.item() / len(split)
        run.report(step, train__accuracy=accuracy)
        run.say(f"epoch {epoch} of {epochs}: training accuracy {accuracy:.4f}")


def signature(model: nn.Module, data: Data, size: int) -> Signature:
    """What the model takes and gives, enough to call it without this recipe."""
    return Signature(
        task="image_classification",
        recipe="image_classification",
        framework=f"torch {torch.__version__}",
        inputs=[Tensor(name="image", dtype="float32", shape=[None, data.channels, size, size])],
        outputs=[Tensor(name="logits", dtype="float32", shape=[None, len(data.labels)])],
        weights=WEIGHTS,
        labels=data.labels,
        preprocessing={
            "mode": "RGB" if data.channels == 3 else "L",
            "size": size,
            "resample": "bilinear",
            "scale": 1 / 255,
        },
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
