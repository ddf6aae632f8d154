"""Models: versions with their metrics and files."""

from pathlib import Path
from typing import Any

import click

from controlplane.cli import transfer
from controlplane.cli.client import Client, connect
from controlplane.cli.output import (
    json_option,
    moment,
    out,
    print_json,
    print_table,
    project_option,
    size,
)


@click.group()
def models() -> None:
    """Trained models, in versions."""


@models.command("list")
@project_option
@json_option
def list_models(project: str, as_json: bool) -> None:
    """List the models of a project."""
    client = connect(project)
    found = list(client.pages(client.in_project("models")))
    if as_json:
        print_json(found)
        return
    rows = [(model["name"], moment(model["created_at"])) for model in found]
    print_table(("NAME", "CREATED"), rows, "No models yet. Train one: datahall demo")


@models.command("show")
@click.argument("name", metavar="NAME[@VERSION]")
@project_option
@json_option
def show_model(name: str, project: str, as_json: bool) -> None:
    """Show a model's versions, or one of them."""
    client = connect(project)
    name, at, _ = (reference := name).partition("@")
    found = client.get(client.in_project(f"models/{name}"))
    if at:
        found["versions"] = [find_version(client, reference)]
    if as_json:
        print_json(found)
        return
    rows = [
        (v["number"], v["signature"]["task"], size(v["size"]), _metrics(v), moment(v["created_at"]))
        for v in found["versions"]
    ]
    print_table(("VERSION", "TASK", "SIZE", "METRICS", "CREATED"), rows, "No versions.")


@models.command("download")
@click.argument("version", metavar="NAME[@VERSION]")
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to put it in; NAME-VERSION if not given.",
)
@project_option
@json_option
def download_model(version: str, to: Path | None, project: str, as_json: bool) -> None:
    """Download the files of a version, the newest if none is named."""
    client = connect(project)
    found = find_version(client, version)
    target = to or Path(f"{version.partition('@')[0]}-{found['number']}")
    transfer.download_all(client, found["files"], target)
    if as_json:
        print_json({"folder": str(target), "files": [file["path"] for file in found["files"]]})
    else:
        out.print(str(target))


def find_version(client: Client, reference: str) -> Any:
    """A version by ``name`` or ``name@number``."""
    name, _, number = reference.partition("@")
    versions = client.get(client.in_project(f"models/{name}"))["versions"]
    wanted = [v for v in versions if not number or str(v["number"]) == number]
    if not wanted:
        raise click.ClickException(f"{name} has no version {number}")
    return max(wanted, key=lambda version: int(version["number"]))


def _metrics(version: dict[str, Any]) -> str:
    return "; ".join(
        f"{evaluation['split']}: "
        + ", ".join(f"{name} {value:.4g}" for name, value in evaluation["metrics"].items())
        for evaluation in version["evaluations"]
    )
