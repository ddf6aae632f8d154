"""The whole road in one command: digits in, predictions out."""

import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from controlplane.cli import config
from controlplane.cli.client import POLL_SECONDS, Client, Refused, connect
from controlplane.cli.commands import datasets, endpoints, jobs, models
from controlplane.cli.output import (
    errors,
    json_option,
    out,
    print_json,
    print_table,
    project_option,
)

DIGITS = config.CHECKOUT / "examples" / "digits" / "digits.zip"
NAME = "digits"
HELD_OUT = "test"  # the folder that was not trained on
PREDICTIONS = 10  # at least, evenly over the classes


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
    """Upload handwritten digits, train a network on them, serve it and ask it."""
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
    with _timed(seconds, "deploy"):
        endpoint = _serve(client, reference)
    key = client.post(client.in_project(f"endpoints/{NAME}/keys"), {"name": "demo"})["key"]
    with _timed(seconds, "predict"):
        predictions = _predict(client, endpoint["url"], key, digits)
    result = {
        "test_loss": metrics["loss"],
        "test_accuracy": metrics["accuracy"],
        "model_version": reference,
        "endpoint": endpoint["url"],
        "key": key,
        "predictions": predictions,
        "seconds": seconds,
    }
    if as_json:
        print_json(result)
        return
    out.print(f"model          {reference}")
    out.print(f"test loss      {result['test_loss']:.4f}")
    out.print(f"test accuracy  {result['test_accuracy']:.4f}")
    out.print(f"endpoint       {endpoint['url']}")
    out.print(f"key            {key}")
    rows = [
        (p["label"], p["predicted"], "" if p["label"] == p["predicted"] else "wrong")
        for p in predictions
    ]
    print_table(("HELD-OUT DIGIT", "PREDICTED", ""), rows, "No predictions.")
    out.print(f"Look at it:    {client.url}")
    out.print(f"Ask it:        datahall endpoints predict {NAME} picture.png")
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


def _serve(client: Client, reference: str) -> Any:
    """The endpoint of this name with the new version, ready: made now, or deployed to."""
    path = client.in_project(f"endpoints/{NAME}")
    try:
        found = client.get(path)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        body = {"name": NAME, "model": reference}
        found = client.post(client.in_project("endpoints"), body)
    else:
        if found["replicas_wanted"] == 0:
            client.post(f"{path}/scale", {"replicas": 1})
        found = client.post(f"{path}/deploy", {"model": reference})
    return endpoints.wait_until_ready(client, found)


def _predict(client: Client, url: str, key: str, digits: Path) -> list[dict[str, str]]:
    """What the endpoint says about pictures that were held out, beside what they are."""
    predictions = []
    for label, picture in _held_out(digits):
        answer = client.predict(url, picture, "image/png", key=key)
        predictions.append({"label": label, "predicted": answer["predictions"][0]["label"]})
    return predictions


def _held_out(digits: Path) -> Iterator[tuple[str, bytes]]:
    """Pictures of the test folder with their class, as many of each."""
    with zipfile.ZipFile(digits) as archive:
        classes: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(archive.namelist()):
            parts = PurePosixPath(name).parts
            if len(parts) >= 3 and parts[-3] == HELD_OUT and name.lower().endswith(".png"):
                classes[parts[-2]].append(name)
        if not classes:
            raise click.ClickException(f"{digits} has no pictures in {HELD_OUT}/")
        of_each = -(-PREDICTIONS // len(classes))
        for label, names in sorted(classes.items()):
            for name in names[:of_each]:
                yield label, archive.read(name)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - started, 2)
