"""Nodes: the hosts that do the work."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from controlplane.cli import config
from controlplane.cli.client import Client, connect
from controlplane.cli.output import (
    json_option,
    moment,
    out,
    print_facts,
    print_json,
    print_table,
    size,
)


@click.group()
def nodes() -> None:
    """Hosts with an agent, and their GPUs."""


@nodes.command("list")
@json_option
def list_nodes(as_json: bool) -> None:
    """List the nodes."""
    found = list(connect().pages("/nodes"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            node["name"],
            _state(node),
            f"{node['reserved_cpu_millis'] / 1000:g} of {node['cpu_millis'] / 1000:g}",
            f"{size(node['reserved_memory_bytes'])} of {size(node['memory_bytes'])}",
            _gpus(node["devices"]),
            moment(node["last_contact_at"]),
        )
        for node in found
    ]
    print_table(
        ("NAME", "STATE", "CORES TAKEN", "MEMORY TAKEN", "GPUS", "LAST CONTACT"),
        rows,
        "No nodes yet. Invite one: datahall nodes join-token",
    )


@nodes.command("show")
@click.argument("name")
@json_option
def show_node(name: str, as_json: bool) -> None:
    """Show a node and its devices."""
    node = find_node(connect(), name)
    if as_json:
        print_json(node)
        return
    print_facts(
        {
            "name": node["name"],
            "host": node["hostname"],
            "state": _state(node),
            "simulated": "there is no such host" if node["simulated"] else None,
            "last contact": moment(node["last_contact_at"]),
            "cores": f"{node['cpu_millis'] / 1000:g}",
            "memory": size(node["memory_bytes"]),
            "disk": size(node["disk_bytes"]),
            "agent": node["agent_version"],
            "clock": f"{node['clock_offset_ms']} ms off",
            "isolation": _isolation(node.get("isolation")),
            **node["facts"],
        }
    )
    rows = [
        (
            device["index"],
            device["name"],
            size(device["memory_bytes"]),
            device["uuid"],
            _health(device),
        )
        for device in node["devices"]
    ]
    print_table(("GPU", "NAME", "MEMORY", "UUID", "STATE"), rows, "No GPUs.")


def _isolation(told: dict[str, Any] | None) -> str:
    if told is None:
        return "not told; the agent is older"
    if told["profile"] == "none":
        why = told["reason"]["text"] if told["reason"] else ""
        return f"none: any job can read what the agent's user can. {why}".strip()
    held = " and ".join(told["limits"]) or "nothing"
    name = {"bwrap": "bubblewrap"}.get(told["profile"], told["profile"])
    return f"{name}; the kernel limits {held}"


@nodes.command("join-token")
@json_option
def make_join_token(as_json: bool) -> None:
    """Make an invitation for one node, good once and for a quarter of an hour."""
    made = connect().post("/nodes/join-tokens")
    if as_json:
        print_json(made)
    else:
        out.print("Run this on the host:", style="bold")
        out.print(made["command"])


@nodes.command("join")
@click.argument("url")
@click.argument("token")
@click.option("--name", help="The node's name; the host's if not given.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the agent keeps its key, its journal and its caches.",
)
@click.option("--run/--no-run", default=True, help="Start the agent after joining.")
def join_node(url: str, token: str, name: str | None, state: Path | None, run: bool) -> None:
    """Make this host a node of the installation at URL, and run its agent."""
    folder = str(state or config.default_state() / "node")
    agent = [sys.executable, "-m", "agents.node"]
    joining = [*agent, "join", url, token, "--state", folder, *(["--name", name] if name else [])]
    if not run:
        os.execv(sys.executable, joining)
    if code := os.spawnv(os.P_WAIT, sys.executable, joining):
        raise click.exceptions.Exit(code)
    os.execv(sys.executable, [*agent, "run", "--state", folder])


@nodes.command("cordon")
@click.argument("name")
@click.option("--reason", default="", help="Why, for whoever wonders.")
@json_option
def cordon_node(name: str, reason: str, as_json: bool) -> None:
    """Give a node no new work; what runs there goes on."""
    _act(name, "cordon", as_json, reason=reason)


@nodes.command("uncordon")
@click.argument("name")
@json_option
def uncordon_node(name: str, as_json: bool) -> None:
    """Let a node have work again."""
    _act(name, "uncordon", as_json)


@nodes.command("clear-device")
@click.argument("name")
@click.argument("gpu")
@json_option
def clear_device(name: str, gpu: str, as_json: bool) -> None:
    """Give a GPU of a node work again, once somebody has seen to it; by its number or its UUID."""
    client = connect()
    node = find_node(client, name)
    found = [d for d in node["devices"] if gpu in (d["uuid"], d["id"])]
    found = found or [d for d in node["devices"] if gpu == str(d["index"]) and d["present"]]
    if not found:
        raise click.ClickException(f"{name} has no GPU {gpu}; see `datahall nodes show {name}`")
    if len(found) > 1:
        raise click.ClickException(f"{name} has several GPUs {gpu}; name one by its UUID")
    node = client.post(f"/nodes/{node['id']}/devices/{found[0]['id']}/clear")
    if as_json:
        print_json(node)
    else:
        out.print(f"GPU {found[0]['index']} of {node['name']} gets work again")


@nodes.command("orphans")
@click.option("--stop", "stop_id", help="End this one.")
@json_option
def orphans(stop_id: str | None, as_json: bool) -> None:
    """What nodes run that was begun after the backup the installation was restored from."""
    client = connect()
    if stop_id:
        found = [client.post(f"/restore/orphans/{stop_id}/stop")]
    else:
        found = list(client.pages("/restore/orphans"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            orphan["id"],
            orphan["node_name"],
            orphan["workload"],
            orphan["state"],
            moment(orphan["seen_at"]),
            moment(orphan["ended_at"]),
        )
        for orphan in found
    ]
    print_table(("ORPHAN", "NODE", "WORKLOAD", "STATE", "SEEN", "ENDED"), rows, "No orphans.")


@nodes.command("release")
@json_option
def release(as_json: bool) -> None:
    """Place work again after a restore, although not every node was heard."""
    state = connect().post("/restore/release")
    if as_json:
        print_json(state)
    else:
        out.print("Work is placed again.")


def _act(name: str, verb: str, as_json: bool, **said: str) -> None:
    client = connect()
    node = client.post(f"/nodes/{find_node(client, name)['id']}/{verb}", said or None)
    if as_json:
        print_json(node)
    else:
        out.print(f"{node['name']} {_state(node)}")


def find_node(client: Client, name: str) -> Any:
    """A node by its name or id."""
    found = [node for node in client.pages("/nodes") if name in (node["name"], node["id"])]
    if not found:
        raise click.ClickException(f"there is no node {name}; see `datahall nodes list`")
    return found[0]


def _gpus(devices: list[dict[str, Any]]) -> str:
    """How many, and what is to be said of them."""
    leased = [d for d in devices if d["present"] and not d["divided"]]
    told = {
        "simulated": sum(d["simulated"] for d in leased),
        "unhealthy": sum(not d["healthy"] for d in leased),
    }
    said = ", ".join(f"{count} {what}" for what, count in told.items() if count)
    return f"{len(leased)} ({said})" if said else str(len(leased))


def _health(device: dict[str, Any]) -> str:
    """What is to be said of a GPU."""
    said = [
        *(["simulated"] if device["simulated"] else []),
        *(["gone"] if not device["present"] else []),
        *(["divided into slices"] if device["divided"] else []),
    ]
    if not device["healthy"]:
        reason = device["health_reason"]
        said.append(f"unhealthy: {reason['text']}" if reason else "unhealthy")
    return ", ".join(said) or "healthy"


def _state(node: dict[str, Any]) -> str:
    reach = {"fresh": "ready", "suspect": "unreachable"}.get(node["contact"], node["contact"])
    said = [str(reach)]
    if node["simulated"]:
        said.append("simulated")
    if node["cordoned_at"]:
        why = f" ({node['cordon_reason']})" if node.get("cordon_reason") else ""
        said.append(f"cordoned{why}")
    return ", ".join(said)
