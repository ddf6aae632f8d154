"""Tokens: for programs that speak for you."""

import click

from controlplane.cli.client import connect
from controlplane.cli.output import errors, json_option, moment, out, print_json, print_table

SCOPES = ("read", "write", "admin")


@click.group()
def tokens() -> None:
    """Your own tokens, for programs that speak for you."""


@tokens.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List your tokens; their texts are not kept."""
    found = list(connect().pages("/tokens"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            t["id"],
            t["name"],
            " ".join(t["scopes"]),
            moment(t["expires_at"]),
            moment(t["last_used_at"]),
        )
        for t in found
    ]
    print_table(("ID", "NAME", "SCOPES", "EXPIRES", "LAST USED"), rows, "No tokens.")


@tokens.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=("write",),
    show_default=True,
    help="How far it reaches; admin includes write, write includes read.",
)
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366))
@json_option
def create_token(name: str, scopes: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a token and print its text, this once."""
    body = {"name": name, "scopes": list(scopes), "expires_in_days": days}
    made = connect().post("/tokens", body)
    if as_json:
        print_json(made)
        return
    errors.print(f"good until {moment(made['expires_at'])}; it is not shown again")
    out.print(made["token"])


@tokens.command("revoke")
@click.argument("token")
def revoke_token(token: str) -> None:
    """End a token at once, by its ID or its name."""
    client = connect()
    found = [t for t in client.pages("/tokens") if token in (t["id"], t["name"])]
    if not found:
        raise click.ClickException(f"there is no token {token}; see `datahall tokens list`")
    if len(found) > 1:
        raise click.ClickException(f"several tokens are called {token}; name one by its ID")
    client.delete(f"/tokens/{found[0]['id']}")
    out.print(f"{found[0]['id']} revoked")
