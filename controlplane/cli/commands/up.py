"""`datahall up`: a whole installation on this machine."""

from pathlib import Path

import click

from controlplane.cli import config
from controlplane.cli import up as launcher
from controlplane.cli.embedded.service import EmbeddedError


@click.command()
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that keeps everything. [default: .state of the checkout]",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Where the web server listens, on 127.0.0.1. [default: as before, at first 8480]",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write URL and token to this file as well when everything is up.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option(
    "--simulate-gpus",
    type=click.IntRange(0, 1024),
    default=0,
    metavar="N",
    help="Pretend that this machine has N GPUs; they are marked as simulated.",
)
def up(
    state: Path | None,
    port: int | None,
    ready_file: Path | None,
    no_open: bool,
    simulate_gpus: int,
) -> None:
    """Run Datahall on this machine: servers, control plane and an agent. Ctrl-C stops all of it."""
    try:
        launcher.up(
            state=state or config.default_state(),
            port=port,
            ready_file=ready_file,
            open_browser=not no_open,
            simulated_gpus=simulate_gpus,
        )
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from None
