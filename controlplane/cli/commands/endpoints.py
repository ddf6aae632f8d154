"""Endpoints: addresses that answer calls with a model."""

import mimetypes
from pathlib import Path
from typing import Any

import click

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

GIB = 1024**3

wait_option = click.option(
    "--wait", is_flag=True, help="Return when it is ready; fails if it was given up."
)
max_batch_option = click.option(
    "--max-batch", type=click.IntRange(min=1), help="Rows computed together."
)
cpus_option = click.option("--cpus", type=float, help="CPU cores of a replica.")
memory_option = click.option("--memory-gib", type=float, help="Memory of a replica.")
gpus_option = click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a replica.")


@click.group()
def endpoints() -> None:
    """Serve models over HTTP: deploy, scale, predict."""


@endpoints.command("list")
@project_option
@json_option
def list_endpoints(project: str, as_json: bool) -> None:
    """List the endpoints, newest first."""
    client = connect(project)
    found = list(client.pages(client.in_project("endpoints")))
    if as_json:
        print_json(found)
        return
    rows = [(e["name"], e["state"], _model(e["deployment"]), _ready(e), _why(e)) for e in found]
    print_table(
        ("NAME", "STATE", "MODEL", "READY", ""),
        rows,
        "No endpoints yet. Make one: datahall endpoints create NAME MODEL",
    )


@endpoints.command("create")
@click.argument("name")
@click.argument("model", metavar="MODEL[@VERSION]")
@click.option("--replicas", type=click.IntRange(0, 64), default=1, show_default=True)
@cpus_option
@memory_option
@gpus_option
@max_batch_option
@click.option("--max-queue", type=click.IntRange(min=1), help="Calls that may wait.")
@click.option("--timeout", type=float, help="Seconds from a call to its answer.")
@wait_option
@project_option
@json_option
def create_endpoint(
    name: str,
    model: str,
    replicas: int,
    cpus: float | None,
    memory_gib: float | None,
    gpus: int | None,
    max_batch: int | None,
    max_queue: int | None,
    timeout: float | None,
    wait: bool,
    project: str,
    as_json: bool,
) -> None:
    """Give a model an address that answers calls."""
    client = connect(project)
    body = {
        "name": name,
        "model": model,
        "replicas": replicas,
        "resources": _resources(cpus, memory_gib, gpus),
        "max_batch": max_batch,
        "max_queue": max_queue,
        "timeout_seconds": timeout,
    }
    made = client.post(client.in_project("endpoints"), _given(body))
    _tell(client, made, wait=wait, as_json=as_json)


@endpoints.command("show")
@click.argument("name")
@project_option
@json_option
def show_endpoint(name: str, project: str, as_json: bool) -> None:
    """Show an endpoint, by its name or ID, and its replicas."""
    client = connect(project)
    found = client.get(client.in_project(f"endpoints/{name}"))
    if as_json:
        print_json(found)
        return
    deployment, resources = found["deployment"], found["deployment"]["resources"]
    print_facts(
        {
            "id": found["id"],
            "name": found["name"],
            "url": found["url"],
            "state": found["state"],
            "why": _why(found),
            "ready": _ready(found),
            "model": _model(deployment),
            "deployment": deployment["number"],
            "previous": found["previous"] and _model(found["previous"]),
            "resources": (
                f"{resources['cpu_millis'] / 1000:g} cores, {size(resources['memory_bytes'])}, "
                f"{resources['device_count']} GPUs"
            ),
            "limits": (
                f"{deployment['max_batch']} rows a batch, {found['max_queue']} calls waiting, "
                f"{found['timeout_seconds']:g} s"
            ),
            "created": f"{moment(found['created_at'])} by {found['created_by'] or 'a run'}",
        }
    )
    replicas = client.get(client.in_project(f"endpoints/{name}/replicas"))["results"]
    rows = [
        (
            r["number"],
            r["deployment"],
            r["state"],
            (r["node"] or {}).get("name", ""),
            moment(r["created_at"]),
            _why(r),
        )
        for r in replicas
    ]
    columns = ("REPLICA", "DEPLOYMENT", "STATE", "NODE", "CREATED", "")
    print_table(columns, rows, "No replicas.")


@endpoints.command("events")
@click.argument("name")
@project_option
@json_option
def endpoint_events(name: str, project: str, as_json: bool) -> None:
    """Tell what happened to an endpoint; newest first."""
    client = connect(project)
    found = list(client.pages(client.in_project(f"endpoints/{name}/events")))
    if as_json:
        print_json(found)
    else:
        print_events(found)


@endpoints.command("scale")
@click.argument("name")
@click.argument("replicas", type=click.IntRange(0, 64))
@wait_option
@project_option
@json_option
def scale_endpoint(name: str, replicas: int, wait: bool, project: str, as_json: bool) -> None:
    """Want another number of replicas; 0 stops the endpoint."""
    client = connect(project)
    path = client.in_project(f"endpoints/{name}/scale")
    _tell(client, client.post(path, {"replicas": replicas}), wait=wait, as_json=as_json)


@endpoints.command("deploy")
@click.argument("name")
@click.argument("model", metavar="MODEL[@VERSION]")
@cpus_option
@memory_option
@gpus_option
@max_batch_option
@wait_option
@project_option
@json_option
def deploy_version(
    name: str,
    model: str,
    cpus: float | None,
    memory_gib: float | None,
    gpus: int | None,
    max_batch: int | None,
    wait: bool,
    project: str,
    as_json: bool,
) -> None:
    """Serve another version; the one before serves until the new one is ready."""
    client = connect(project)
    body = {
        "model": model,
        "resources": _resources(cpus, memory_gib, gpus),
        "max_batch": max_batch,
    }
    deployed = client.post(client.in_project(f"endpoints/{name}/deploy"), _given(body))
    _tell(client, deployed, wait=wait, as_json=as_json)


@endpoints.command("rollback")
@click.argument("name")
@click.option("--to", "number", type=click.IntRange(min=1), help="The deployment to return to.")
@wait_option
@project_option
@json_option
def roll_back(name: str, number: int | None, wait: bool, project: str, as_json: bool) -> None:
    """Serve again what an earlier deployment served."""
    client = connect(project)
    body = {"deployment": number}
    back = client.post(client.in_project(f"endpoints/{name}/rollback"), _given(body))
    _tell(client, back, wait=wait, as_json=as_json)


@endpoints.command("predict")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", envvar="DATAHALL_ENDPOINT_KEY", help="A key of the endpoint, else you ask.")
@project_option
@json_option
def predict(name: str, file: Path, key: str | None, project: str, as_json: bool) -> None:
    """Ask an endpoint about a picture, or about what a .json file holds.

    \b
        {"inputs": {"image": [[[[0.0, 0.5, ...]]]]}}
    """
    content_type, _ = mimetypes.guess_type(file.name)
    if content_type is None or not content_type.startswith(("image/", "application/json")):
        raise click.ClickException(f"{file} is neither a picture nor .json, by its name")
    client = connect(project)
    url = client.get(client.in_project(f"endpoints/{name}"))["url"]
    answer = client.predict(url, file.read_bytes(), content_type, key=key)
    if as_json:
        print_json(answer)
        return
    predictions = answer["predictions"]
    if all(isinstance(p, dict) and "label" in p for p in predictions):
        rows = [(p["label"], f"{p['score']:.4f}") for p in predictions]
        print_table(("LABEL", "SCORE"), rows, "No predictions.")
    else:
        print_json(predictions)


@endpoints.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@project_option
def delete_endpoint(name: str, yes: bool, project: str) -> None:
    """End an endpoint: its address, its keys, its replicas."""
    client = connect(project)
    found = client.get(client.in_project(f"endpoints/{name}"))
    if not yes:
        click.confirm(f"Delete the endpoint {harmless(found['name'])}?", abort=True, err=True)
    client.delete(client.in_project(f"endpoints/{found['id']}"))
    errors.print(f"{harmless(found['name'])} is deleted")


@endpoints.group("keys")
def keys() -> None:
    """Credentials that may call one endpoint and do nothing else."""


@keys.command("list")
@click.argument("name")
@project_option
@json_option
def list_keys(name: str, project: str, as_json: bool) -> None:
    """List the keys of an endpoint."""
    client = connect(project)
    found = list(client.pages(client.in_project(f"endpoints/{name}/keys")))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            k["id"],
            k["name"],
            k["prefix"],
            moment(k["last_used_at"]),
            "revoked" if k["revoked_at"] else moment(k["expires_at"]),
        )
        for k in found
    ]
    print_table(
        ("ID", "NAME", "BEGINS WITH", "LAST USED", "EXPIRES"),
        rows,
        f"No keys yet. Make one: datahall endpoints keys create {harmless(name)} KEYNAME",
    )


@keys.command("create")
@click.argument("name")
@click.argument("key_name", metavar="KEYNAME")
@click.option("--days", type=click.IntRange(1, 365), default=90, show_default=True)
@click.option("--per-minute", type=click.IntRange(min=1), help="Requests that it may make.")
@project_option
@json_option
def create_key(
    name: str, key_name: str, days: int, per_minute: int | None, project: str, as_json: bool
) -> None:
    """Make a key; its text is printed this once."""
    client = connect(project)
    body = {"name": key_name, "expires_in_days": days, "requests_per_minute": per_minute}
    made = client.post(client.in_project(f"endpoints/{name}/keys"), body)
    if as_json:
        print_json(made)
    else:
        out.print(made["key"])


@keys.command("revoke")
@click.argument("name")
@click.argument("key", metavar="KEY_ID")
@project_option
def revoke_key(name: str, key: str, project: str) -> None:
    """Revoke a key, by its ID; gateways refuse it within seconds."""
    client = connect(project)
    client.delete(client.in_project(f"endpoints/{name}/keys/{key}"))
    errors.print(f"{harmless(key)} is revoked")


def wait_until_ready(client: Client, endpoint: dict[str, Any]) -> Any:
    """The endpoint once it is as it is wanted; what it waits for is told meanwhile."""
    told = ""

    def look() -> Any:
        nonlocal told
        found = client.get(client.in_project(f"endpoints/{endpoint['id']}"))
        if found["deployment"]["given_up_at"]:
            raise click.ClickException(f"{_model(found['deployment'])} was given up: {_why(found)}")
        if found["state"] in ("ready", "stopped"):
            return found
        news = f"{found['state']}: {_why(found)}" if found["reason"] else str(found["state"])
        if news != told:
            told = news
            errors.print(news, soft_wrap=True)
        return None

    return wait_for(look)


def _tell(client: Client, endpoint: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    if wait:
        endpoint = wait_until_ready(client, endpoint)
    if as_json:
        print_json(endpoint)
    else:
        out.print(harmless(f"{endpoint['name']} {endpoint['state']} {endpoint['url']}"))


def _resources(
    cpus: float | None, memory_gib: float | None, gpus: int | None
) -> dict[str, int] | None:
    wanted = {
        "cpu_millis": None if cpus is None else round(cpus * 1000),
        "memory_bytes": None if memory_gib is None else round(memory_gib * GIB),
        "device_count": gpus,
    }
    return _given(wanted) or None


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _model(deployment: dict[str, Any]) -> str:
    return f"{deployment['version']['model']}@{deployment['version']['number']}"


def _ready(endpoint: dict[str, Any]) -> str:
    return f"{endpoint['replicas_ready']} of {endpoint['replicas_wanted']}"


def _why(thing: dict[str, Any]) -> str:
    return harmless((thing["reason"] or {}).get("text", ""))
