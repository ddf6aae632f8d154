"""The whole road in one command: digits in, a model out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from controlplane.cli import config
from controlplane.cli.client import POLL_SECONDS, Client, connect
from controlplane.cli.commands import datasets, jobs, models
from controlplane.cli.output import errors, json_option, out, print_json, project_option

DIGITS = config.CHECKOUT / "examples" / "digits" / "digits.zip"
NAME = "digits"


@click.command()
@click.option(
    "--digits",
    default=DIGITS,
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The zip of handwritten digits.",
)
@project_option
@json_option
def demo(digits: Path, project: str, as_json: bool) -> None:
    """Upload handwritten digits, train a network on them and register the model."""
    if not digits.exists():
        raise click.ClickException(f"{digits} is missing: run this in a checkout, or give --digits")
    client = connect(project)
    seconds: dict[str, float] = {}
    with _timed(seconds, "upload"):
        version = datasets.publish(client, NAME, [digits], "Handwritten digits from MNIST")
    with _timed(seconds, "import"):
        version = datasets.wait_until_imported(client, NAME, version["number"])
    if version["state"] != "ready":
        raise click.ClickException(f"the import failed: {version['reason']['text']}")
    with _timed(seconds, "train"):
        job = _train(client, f"{NAME}@{version['number']}")
    if job["state"] != "succeeded" or job["model_version"] is None:
        raise click.ClickException(jobs.ending(job))
    reference = f"{NAME}@{job['model_version']['number']}"
    metrics = _test_metrics(client, reference)
    result = {
        "test_loss": metrics["loss"],
        "test_accuracy": metrics["accuracy"],
        "model_version": reference,
        "seconds": seconds,
    }
    if as_json:
        print_json(result)
        return
    out.print(f"model          {reference}")
    out.print(f"test loss      {result['test_loss']:.4f}")
    out.print(f"test accuracy  {result['test_accuracy']:.4f}")
    out.print(f"Look at it:    {client.url}")
    out.print(f"Take it:       datahall models download {reference}")


def _train(client: Client, dataset: str) -> Any:
    body = {
        "kind": "train",
        "name": "Train on digits",
        "recipe": "image_classification",
        "dataset": dataset,
        "model": NAME,
    }
    job = client.post(client.in_project("jobs"), body)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors) as bars:
        task = bars.add_task("waiting for a node", total=1.0)
        while job["state"] not in jobs.ENDED:
            time.sleep(POLL_SECONDS)
            job = client.get(client.in_project(f"jobs/{job['id']}"))
            newest = _newest_points(client, job["id"])
            loss = newest.get("train/loss")
            state = jobs.reason_of(job) if job["state"] == "queued" else "training"
            text = state if loss is None else f"training, loss {loss:.3f}"
            bars.update(task, description=text, completed=newest.get("progress", 0.0))
    return job


def _newest_points(client: Client, job: str) -> dict[str, float]:
    answer = client.get(client.in_project(f"jobs/{job}/metrics"))
    return {series["name"]: series["points"][-1][1] for series in answer["series"]}


def _test_metrics(client: Client, reference: str) -> dict[str, float]:
    evaluations = models.find_version(client, reference)["evaluations"]
    if not evaluations:
        raise click.ClickException(f"{reference} was registered without an evaluation")
    return dict(evaluations[0]["metrics"])


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 2)
