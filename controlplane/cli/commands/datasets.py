"""Datasets: immutable versions of files."""

from pathlib import Path
from typing import Any

import click

from controlplane.cli import transfer
from controlplane.cli.client import Client, connect, wait_for
from controlplane.cli.output import (
    errors,
    harmless,
    json_option,
    moment,
    print_facts,
    print_json,
    print_table,
    project_option,
    size,
)


@click.group()
def datasets() -> None:
    """Data to train on, in versions that never change."""


@datasets.command("list")
@project_option
@json_option
def list_datasets(project: str, as_json: bool) -> None:
    """List the datasets of a project."""
    client = connect(project)
    found = list(client.pages(client.in_project("datasets")))
    if as_json:
        print_json(found)
        return
    rows = [(d["name"], *_summary(d.get("latest")), moment(d["created_at"])) for d in found]
    print_table(
        ("NAME", "VERSION", "STATE", "KIND", "SAMPLES", "SIZE", "CREATED"),
        rows,
        "No datasets yet. Bring one: datahall datasets upload NAME FILE...",
    )


@datasets.command("show")
@click.argument("name")
@project_option
@json_option
def show_dataset(name: str, project: str, as_json: bool) -> None:
    """Show a dataset and its versions."""
    client = connect(project)
    found = client.get(client.in_project(f"datasets/{name}"))
    if as_json:
        print_json(found)
        return
    print_facts({"name": found["name"], "description": found["description"]})
    rows = [(*_summary(v), moment(v["created_at"]), _why(v)) for v in found["versions"]]
    print_table(
        ("VERSION", "STATE", "KIND", "SAMPLES", "SIZE", "CREATED", ""), rows, "No versions."
    )


@datasets.command("upload")
@click.argument("name")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--description", default="")
@click.option("--wait/--no-wait", default=True, help="Wait until it is imported.")
@project_option
@json_option
def upload_dataset(
    name: str,
    paths: tuple[Path, ...],
    description: str,
    wait: bool,
    project: str,
    as_json: bool,
) -> None:
    """Upload files or folders as a version of the dataset NAME.

    A zip of pictures in folders by class, a folder of pictures, or CSV files are recognised.
    """
    client = connect(project)
    version = publish(client, name, list(paths), description)
    if wait:
        version = wait_until_imported(client, name, version["number"])
    if as_json:
        print_json(version)
    else:
        print_facts(
            {
                "dataset": f"{name}@{version['number']}",
                "state": version["state"],
                "kind": version["kind"],
                "samples": (version["profile"] or {}).get("samples"),
            }
        )
    if version["state"] == "failed":
        raise click.ClickException(_why(version))


def publish(client: Client, name: str, paths: list[Path], description: str = "") -> Any:
    """Upload everything and make it the newest version of a dataset."""
    found = _files(paths)
    uploaded = transfer.upload_all(client, [source for source, _ in found])
    files = [
        {"upload": upload, "path": shown}
        for upload, (_, shown) in zip(uploaded, found, strict=True)
    ]
    body = {"name": name, "description": description, "files": files}
    made = client.post(client.in_project("datasets"), body)
    return max(made["versions"], key=lambda version: int(version["number"]))


def wait_until_imported(client: Client, name: str, number: int) -> Any:
    """The version once it is ready, or has failed."""
    path = client.in_project(f"datasets/{name}/versions/{number}")

    def look() -> Any:
        version = client.get(path)
        return None if version["state"] == "importing" else version

    with errors.status(f"importing {name}@{number}"):
        return wait_for(look)


def _files(paths: list[Path]) -> list[tuple[Path, str]]:
    """Each file with the path it gets in the dataset; a folder's files keep theirs within it."""
    found: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
            found += [(file, file.relative_to(path).as_posix()) for file in inside]
        else:
            found.append((path, path.name))
    return found


def _summary(version: dict[str, Any] | None) -> tuple[Any, ...]:
    if version is None:
        return ("", "", "", "", "")
    samples = (version["profile"] or {}).get("samples", "")
    return version["number"], version["state"], version["kind"], samples, size(version["size"])


def _why(version: dict[str, Any]) -> str:
    return harmless((version["reason"] or {}).get("text", ""))
