"""`datahall simulate`: a fleet that is not there, to try an installation at scale."""

import os
import sys
from pathlib import Path

import click

from controlplane.cli import config


@click.command()
@click.option(
    "--nodes",
    type=click.IntRange(1, 5000),
    default=10,
    show_default=True,
    metavar="N",
    help="How many nodes.",
)
@click.option(
    "--gpus",
    type=click.IntRange(0, 256),
    default=8,
    show_default=True,
    metavar="M",
    help="GPUs of each.",
)
@click.option("--url", help="The installation; the one you are signed in to if not given.")
@click.option("--token", envvar="DATAHALL_TOKEN", help="An operator's API token, likewise.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the nodes keep who they are. [default: simulation/ in the state folder]",
)
@click.option(
    "--job-seconds",
    type=click.FloatRange(0),
    default=60,
    show_default=True,
    help="How long a job pretends to run, on the mean.",
)
@click.option("--remove", is_flag=True, help="Retire the nodes of this folder instead.")
def simulate(
    nodes: int,
    gpus: int,
    url: str | None,
    token: str | None,
    state: Path | None,
    job_seconds: float,
    remove: bool,
) -> None:
    """Run simulated nodes against an installation, in one process, until Ctrl-C.

    They join, prove themselves and speak as real nodes do, and are shown as simulated. Only scripts
    that ask for it are pretended to run there: `resources: {simulated: true}` in a job's file.
    Nothing else is ever placed on them.
    """
    for variable, value in (("DATAHALL_URL", url), ("DATAHALL_TOKEN", token)):
        if value:
            os.environ[variable] = value
    login = config.current_login()
    folder = (state or config.default_state() / "simulation").absolute()
    os.execve(
        sys.executable,
        [
            *(sys.executable, "-m", "agents.simulation", "--state", str(folder)),
            *("--nodes", str(nodes), "--gpus", str(gpus), "--job-seconds", str(job_seconds)),
            *(("--remove",) if remove else ()),
        ],
        # not among the arguments, which everybody on this machine can read
        {**os.environ, "DATAHALL_URL": login.url, "DATAHALL_TOKEN": login.token},
    )
