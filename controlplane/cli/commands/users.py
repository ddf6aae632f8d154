"""Users: the people of the installation, for its operators."""

from typing import Any

import click

from controlplane.cli.client import Client, connect
from controlplane.cli.output import json_option, moment, out, print_facts, print_json, print_table


@click.group()
def users() -> None:
    """People of the installation; for its operators."""


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List the people."""
    found = list(connect().pages("/users"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            user["username"],
            "operator" if user["is_operator"] else "",
            "" if user["is_active"] else "shut out",
            moment(user["last_login"]),
        )
        for user in found
    ]
    print_table(("NAME", "ROLE", "STATE", "LAST SIGN-IN"), rows, "No users.")


@users.command("create")
@click.argument("username")
@click.option("--operator", is_flag=True, help="Let them run the installation.")
@json_option
def create_user(username: str, operator: bool, as_json: bool) -> None:
    """Add a person, and print the link that signs them in once."""
    made = connect().post("/users", {"username": username, "is_operator": operator})
    if as_json:
        print_json(made)
    else:
        print_facts({"user": made["username"], "sign in at": made["sign_in_url"]})


@users.command("sign-in-link")
@click.argument("username")
@json_option
def make_sign_in_link(username: str, as_json: bool) -> None:
    """Make a link that signs a person in once, within the day."""
    client = connect()
    made = client.post(f"/users/{find_user(client, username)['id']}/sign-in-link")
    if as_json:
        print_json(made)
    else:
        out.print(made["sign_in_url"])


@users.command("deactivate")
@click.argument("username")
@json_option
def deactivate_user(username: str, as_json: bool) -> None:
    """Shut a person out: their sessions, tokens and links end at once."""
    _change(username, as_json, is_active=False)


@users.command("activate")
@click.argument("username")
@json_option
def activate_user(username: str, as_json: bool) -> None:
    """Let a person in again; they sign in anew."""
    _change(username, as_json, is_active=True)


def _change(username: str, as_json: bool, **fields: bool) -> None:
    client = connect()
    user = client.patch(f"/users/{find_user(client, username)['id']}", fields)
    if as_json:
        print_json(user)
    else:
        out.print(f"{user['username']} {'active' if user['is_active'] else 'shut out'}")


def find_user(client: Client, name: str) -> Any:
    """A person by name or id."""
    found = [user for user in client.pages("/users") if name in (user["username"], user["id"])]
    if not found:
        raise click.ClickException(f"there is no user {name}; see `datahall users list`")
    return found[0]
