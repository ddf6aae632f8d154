"""Projects: what is theirs is nobody else's."""

import click

from controlplane.cli.client import connect
from controlplane.cli.output import json_option, moment, print_facts, print_json, print_table


@click.group()
def projects() -> None:
    """Projects you are a member of."""


@projects.command("list")
@json_option
def list_projects(as_json: bool) -> None:
    """List your projects."""
    found = list(connect().pages("/projects"))
    if as_json:
        print_json(found)
        return
    rows = [(p["slug"], p["name"], p.get("role", ""), moment(p["created_at"])) for p in found]
    print_table(("SLUG", "NAME", "ROLE", "CREATED"), rows, "No projects yet.")


@projects.command("create")
@click.argument("slug")
@click.option("--name", help="For people; the slug if not given.")
@json_option
def create_project(slug: str, name: str | None, as_json: bool) -> None:
    """Make a project that you own."""
    made = connect().post("/projects", {"slug": slug, "name": name or slug})
    if as_json:
        print_json(made)
    else:
        print_facts({"project": made["slug"], "name": made["name"]})
