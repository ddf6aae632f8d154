"""Recipes: what can be trained without writing code."""

from typing import Any

import click

from controlplane.cli.client import connect
from controlplane.cli.output import json_option, print_facts, print_json, print_table, size


@click.group()
def recipes() -> None:
    """Declared ways to train; a job names one."""


@recipes.command("list")
@json_option
def list_recipes(as_json: bool) -> None:
    """List the recipes."""
    found = connect().get("/recipes")["results"]
    if as_json:
        print_json(found)
        return
    rows = [(r["name"], r["title"]["en"], ", ".join(r["accepts"])) for r in found]
    print_table(("NAME", "TITLE", "TAKES"), rows, "No recipes.")


@recipes.command("show")
@click.argument("name")
@json_option
def show_recipe(name: str, as_json: bool) -> None:
    """Show a recipe and its parameters."""
    found = next((r for r in connect().get("/recipes")["results"] if r["name"] == name), None)
    if found is None:
        raise click.ClickException(f"there is no recipe {name}; see `datahall recipes list`")
    if as_json:
        print_json(found)
        return
    resources = found["resources"]
    print_facts(
        {
            "name": found["name"],
            "summary": found["summary"]["en"],
            "takes": ", ".join(found["accepts"]),
            "measures": ", ".join(found["metrics"]),
            "resources": (
                f"{resources['cpu_millis'] / 1000:g} cores, {size(resources['memory_bytes'])}, "
                f"{resources['device_count']} GPUs"
            ),
        }
    )
    rows = [
        (p["name"], p["type"], p["default"], _bounds(p), p["help"].get("en", p["label"]["en"]))
        for p in found["parameters"]
    ]
    print_table(("PARAMETER", "TYPE", "DEFAULT", "ALLOWED", ""), rows, "No parameters.")


def _bounds(parameter: dict[str, Any]) -> str:
    if parameter["choices"]:
        return ", ".join(map(str, parameter["choices"]))
    bounds = (parameter["minimum"], parameter["maximum"])
    if bounds == (None, None):
        return ""
    least, most = ("" if bound is None else f"{bound:g}" for bound in bounds)
    return f"{least} to {most}"
