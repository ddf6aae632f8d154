"""Jobs: what is computed, followed live."""

import io
import re
import uuid
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import yaml

from controlplane.cli import transfer
from controlplane.cli.client import Client, connect, wait_for
from controlplane.cli.output import (
    errors,
    harmless,
    json_option,
    moment,
    out,
    print_events,
    print_facts,
    print_json,
    print_table,
    project_option,
    size,
)

STATES = ("queued", "running", "paused", "succeeded", "failed", "cancelled")
ENDED = ("succeeded", "failed", "cancelled")
KINDS = ("train", "script", "evaluate", "import")
LEFT_OUT = {"__pycache__", "node_modules"}  # and whatever begins with a dot

UPLOADED = re.compile(
    r"[0-9a-f]{64}|[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}"
)  # digest or upload


@click.group()
def jobs() -> None:
    """Submit, follow and stop jobs."""


@jobs.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--kind", type=click.Choice(KINDS), help="Only jobs of this kind.")
@click.option("--limit", default=50, show_default=True, help="At most this many, newest first.")
@project_option
@json_option
def list_jobs(state: str | None, kind: str | None, limit: int, project: str, as_json: bool) -> None:
    """List jobs, newest first."""
    client = connect(project)
    path = client.in_project("jobs")
    found = client.get(path, state=state, kind=kind, limit=limit)["results"]
    if as_json:
        print_json(found)
        return
    rows = [
        (j["id"], j["name"], j["kind"], j["state"], moment(j["created_at"]), reason_of(j))
        for j in found
    ]
    print_table(
        ("ID", "NAME", "KIND", "STATE", "SUBMITTED", ""),
        rows,
        "No jobs yet. Submit one: datahall jobs submit -f job.yaml, or try: datahall demo",
    )


@jobs.command("show")
@click.argument("job")
@project_option
@json_option
def show_job(job: str, project: str, as_json: bool) -> None:
    """Show a job, by its ID or its name: the newest of that name."""
    client = connect(project)
    found = client.get(client.in_project(f"jobs/{find_job(client, job)}"))
    if as_json:
        print_json(found)
        return
    run, version = found["run"] or {}, found["model_version"]
    resources = found["resources"]
    print_facts(
        {
            "id": found["id"],
            "name": found["name"],
            "kind": found["kind"],
            "state": found["state"],
            "why": reason_of(found),
            "submitted": f"{moment(found['created_at'])} by {found['submitted_by'] or 'a run'}",
            "started": moment(found["started_at"]),
            "ended": moment(found["ended_at"]),
            "run": run.get("number"),
            "node": (run.get("node") or {}).get("name"),
            "resources": (
                f"{resources['cpu_millis'] / 1000:g} cores, {size(resources['memory_bytes'])}, "
                f"{resources['device_count']} GPUs"
            ),
            "inputs": ", ".join(
                f"{i['dataset'] or i['model']}@{i['number']}" for i in found["inputs"]
            ),
            "model": version and f"{version['model']}@{version['number']}",
        }
    )


@jobs.command("events")
@click.argument("job")
@project_option
@json_option
def job_events(job: str, project: str, as_json: bool) -> None:
    """Tell what happened to a job, and why; oldest first."""
    client = connect(project)
    found = list(client.pages(client.in_project(f"jobs/{find_job(client, job)}/events")))
    if as_json:
        print_json(found)
    else:
        print_events(found)


@jobs.command("submit")
@click.option(
    *("-f", "--file", "file"),
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML or JSON, as the API takes it; `code` is a path beside it.",
)
@click.option("--name", help="Overrides the name in the file.")
@click.option("--wait", is_flag=True, help="Follow the log to the end; fails if the job does.")
@project_option
@json_option
def submit_job(file: Path, name: str | None, wait: bool, project: str, as_json: bool) -> None:
    """Submit a job.

    \b
        kind: script                      kind: train
        code: train.py                    recipe: image_classification
        entrypoint: train.py              dataset: digits
        arguments: [--epochs, "3"]        parameters: {epochs: 5}
        inputs:                           model: digits
          - {name: digits, dataset: digits}
    """
    client = connect(project)
    body = _read(file)
    if name:
        body["name"] = name
    if body.get("kind") == "script" and isinstance(body.get("code"), str):
        body = _with_code(client, body, file.parent / body["code"])
    _submit(client, body, wait=wait, as_json=as_json)


@jobs.command("evaluate")
@click.argument("model", metavar="MODEL[@VERSION]")
@click.argument("dataset", metavar="DATASET[@VERSION]")
@click.option("--name", help="What to call the job.")
@click.option("--wait", is_flag=True, help="Follow the log to the end; fails if the job does.")
@project_option
@json_option
def evaluate_model(
    model: str, dataset: str, name: str | None, wait: bool, project: str, as_json: bool
) -> None:
    """Measure a version of a model on a dataset's held-out part."""
    body = {"kind": "evaluate", "model": model, "dataset": dataset}
    client = connect(project)
    _submit(client, body | ({"name": name} if name else {}), wait=wait, as_json=as_json)


def _submit(client: Client, body: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    job = client.post(client.in_project("jobs"), body)
    if wait:
        errors.print(f"job {job['id']}")
        follow_log(client, job["id"], to_stdout=not as_json)
        job = wait_until_over(client, job["id"])
    if as_json:
        print_json(job)
    elif not wait:
        out.print(job["id"])
    if wait and job["state"] != "succeeded":
        raise click.ClickException(ending(job))
    if wait:
        errors.print(ending(job), soft_wrap=True)


@jobs.command("logs")
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job is over.")
@project_option
def show_logs(job: str, follow: bool, project: str) -> None:
    """Print what a job has written."""
    client = connect(project)
    job = find_job(client, job)
    if follow:
        follow_log(client, job)
        errors.print(ending(client.get(client.in_project(f"jobs/{job}"))), soft_wrap=True)
    else:
        out.out(harmless(client.text(client.in_project(f"jobs/{job}/log/raw"))), end="")


@jobs.command("stop")
@click.argument("jobs_", metavar="JOB...", nargs=-1, required=True)
@project_option
@json_option
def stop_jobs(jobs_: tuple[str, ...], project: str, as_json: bool) -> None:
    """Ask jobs to stop; they get SIGTERM, and SIGKILL when their grace is over."""
    client = connect(project)
    stopped = [
        client.post(client.in_project(f"jobs/{find_job(client, job)}/stop")) for job in jobs_
    ]
    if as_json:
        print_json(stopped)
        return
    for job in stopped:
        ended = job["state"] in ENDED
        out.print(f"{job['id']} {job['state'] if ended else 'is being stopped'}")


@jobs.command("download")
@click.argument("job")
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to put it in; the job's ID if not given.",
)
@project_option
@json_option
def download_outputs(job: str, to: Path | None, project: str, as_json: bool) -> None:
    """Download the files that a job has left in its outputs."""
    client = connect(project)
    job = find_job(client, job)
    files = list(client.pages(client.in_project(f"jobs/{job}/outputs")))
    if not files and not as_json:
        raise click.ClickException("the job has left no outputs")
    target = to or Path(job)
    transfer.download_all(client, files, target)
    if as_json:
        print_json({"folder": str(target), "files": [file["path"] for file in files]})
    else:
        out.print(str(target))


def find_job(client: Client, reference: str) -> str:
    """The id of a job, which may be called by its name: then the newest of that name."""
    try:
        return str(uuid.UUID(reference))
    except ValueError:
        named = client.pages(client.in_project("jobs"), search=reference)
        found = next((job for job in named if job["name"] == reference), None)
    if found is None:
        raise click.ClickException(f"There is no job {reference} in this project.")
    return str(found["id"])


def follow_log(client: Client, job: str, *, to_stdout: bool = True) -> None:
    """Print the log as it grows, over all runs, until the job is over and its log complete."""
    path = client.in_project(f"jobs/{job}/log")
    run, offset = None, 0

    def look() -> bool | None:
        nonlocal run, offset
        found = client.get(client.in_project(f"jobs/{job}"))
        current = (found["run"] or {}).get("number")
        if current != run:  # another try writes another log
            run, offset = current, 0
        while run is not None:
            chunk = client.get(path, run=run, offset=offset)
            if to_stdout and chunk["text"]:
                out.out(harmless(chunk["text"]), end="")
            if chunk["next_offset"] == offset:
                break
            offset = chunk["next_offset"]
        return True if found["state"] in ENDED else None

    wait_for(look)


def wait_until_over(client: Client, job: str) -> Any:
    def look() -> Any:
        found = client.get(client.in_project(f"jobs/{job}"))
        return found if found["state"] in ENDED else None

    return wait_for(look)


def reason_of(job: dict[str, Any]) -> str:
    """Why it is as it is, in a sentence."""
    reason = job["reason"] or job["waiting"] or {}
    return harmless(reason.get("text", ""))


def ending(job: dict[str, Any]) -> str:
    """How a job has ended, in a line."""
    version = job["model_version"]
    if job["state"] == "succeeded":
        made = f": model {version['model']}@{version['number']}" if version else ""
        return f"the job has succeeded{harmless(made)}"
    verb = "was" if job["state"] == "cancelled" else "has"
    return f"the job {verb} {job['state']}: {reason_of(job)}"


def _read(file: Path) -> dict[str, Any]:
    try:
        body = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} is not YAML: {error}") from None
    if not isinstance(body, dict):
        raise click.ClickException(f"{file} has to be a mapping with `kind` and what it needs")
    return body


def _with_code(client: Client, body: dict[str, Any], code: Path) -> dict[str, Any]:
    """Upload the script or the folder that ``code`` names, and name the upload instead."""
    if not code.exists():
        if UPLOADED.fullmatch(code.name):
            return body  # the API knows uploads and digests by name
        raise click.ClickException(f"`code` names {code.name}, and {code} is not there")
    if code.is_dir():
        with TemporaryDirectory() as folder:
            packed = Path(folder) / f"{code.resolve().name}.zip"
            packed.write_bytes(zipped(code))
            uploaded = transfer.upload(client, packed)
    else:
        uploaded = transfer.upload(client, code)
    return {"name": code.stem, "entrypoint": code.name, **body, "code": uploaded}


def zipped(folder: Path) -> bytes:
    """The folder, without hidden files and caches; the same files give the same bytes."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(folder)
            hidden = any(part.startswith(".") or part in LEFT_OUT for part in inside.parts)
            if file.is_file() and not hidden:
                archive.writestr(zipfile.ZipInfo(inside.as_posix()), file.read_bytes())
    return body.getvalue()
