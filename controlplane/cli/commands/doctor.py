"""`datahall doctor`: what is needed, what is here, and what to do."""

from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from agents.protocol.checks import Outcome
from controlplane.cli import config
from controlplane.cli import doctor as looking
from controlplane.cli.output import harmless, json_option, out, print_json

STYLES = {
    Outcome.OK: "green",
    Outcome.WARNING: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.NOT_HERE: "dim",
}


@click.command()
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the installation. [default: .state of the checkout]",
)
@json_option
def doctor(state: Path | None, as_json: bool) -> None:
    """Look at this machine, its node and its installation; nothing is changed.

    On a node: `python -m agents.node doctor --state DIR` says the same of the host alone. Ends with
    1 if something failed.
    """
    found = looking.examine((state or config.default_state()).absolute())
    bad = any(check.outcome is Outcome.FAILED for check in found)
    if as_json:
        print_json({"ok": not bad, "checks": msgspec.to_builtins(found)})
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(3):
            table.add_column(overflow="fold")
        for check in found:
            table.add_row(
                Text(check.outcome, STYLES[check.outcome]),
                Text(check.name),
                Text(harmless(check.found)),
            )
            if check.fix and check.outcome is not Outcome.OK:
                table.add_row("", "", Text(f"→ {harmless(check.fix)}", "dim"))
        out.print(table)
    if bad:
        raise click.exceptions.Exit(1)
