"""Members: who is in a project, and as what."""

import click

from controlplane.cli.client import connect
from controlplane.cli.output import (
    json_option,
    moment,
    out,
    print_json,
    print_table,
    project_option,
)

ROLES = ("viewer", "member", "maintainer", "owner")


@click.group()
def members() -> None:
    """People of a project, and their roles."""


@members.command("list")
@project_option
@json_option
def list_members(project: str, as_json: bool) -> None:
    """List who is in a project."""
    client = connect(project)
    found = list(client.pages(client.in_project("members")))
    if as_json:
        print_json(found)
        return
    rows = [(m["username"], m["role"], moment(m["created_at"])) for m in found]
    print_table(("NAME", "ROLE", "SINCE"), rows, "No members.")


@members.command("add")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), default="member", show_default=True)
@project_option
@json_option
def add_member(username: str, role: str, project: str, as_json: bool) -> None:
    """Let a person into a project."""
    client = connect(project)
    made = client.post(client.in_project("members"), {"username": username, "role": role})
    if as_json:
        print_json(made)
    else:
        out.print(f"{made['username']} {made['role']}")


@members.command("remove")
@click.argument("username")
@project_option
def remove_member(username: str, project: str) -> None:
    """Take a person out of a project."""
    client = connect(project)
    listed = client.pages(client.in_project("members"))
    found = next((m for m in listed if username in (m["username"], m["user_id"])), None)
    if found is None:
        raise click.ClickException(f"{username} is not in the project {project}")
    client.delete(client.in_project(f"members/{found['user_id']}"))
    out.print(f"{found['username']} removed")
