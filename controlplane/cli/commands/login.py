"""Sign in to an installation from this machine."""

import click

from controlplane.cli import config
from controlplane.cli.client import Client
from controlplane.cli.output import json_option, out, print_json


@click.command()
@click.argument("url")
@click.option("--token", envvar="DATAHALL_TOKEN", help="An API token; asked for if not given.")
@json_option
def login(url: str, token: str | None, as_json: bool) -> None:
    """Remember an installation and a token of yours for it."""
    given = token or click.prompt("API token", hide_input=True)
    known = config.Login(url.rstrip("/"), given)
    session = Client(known).get("/session")
    path = config.remember(known)
    if as_json:
        print_json({"url": known.url, "user": session["user"]["username"]})
    else:
        out.print(f"Signed in to {known.url} as {session['user']['username']} ({path})")
