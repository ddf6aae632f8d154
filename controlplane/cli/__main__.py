"""The `datahall` command: a client of the REST API, and the starter of an installation."""

import errno
from typing import Any

import click

from agents import __version__
from controlplane.cli.commands import (
    audit,
    datasets,
    demo,
    doctor,
    endpoints,
    jobs,
    keep,
    login,
    members,
    models,
    nodes,
    projects,
    recipes,
    simulate,
    tokens,
    up,
    users,
)


class Commands(click.Group):
    """Commands whose trouble with files is a sentence, like all other trouble."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # who read our output is gone: click ends quietly
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="datahall")
def main() -> None:
    """Bring data, train models on your GPUs, and see every watt of it.

    The installation is found by DATAHALL_URL and DATAHALL_TOKEN, else by `datahall login`, else it
    is the one that `datahall up` runs on this machine.
    """


main.add_command(up.up)
main.add_command(login.login)
main.add_command(demo.demo)
main.add_command(doctor.doctor)
main.add_command(projects.projects)
main.add_command(datasets.datasets)
main.add_command(jobs.jobs)
main.add_command(models.models)
main.add_command(endpoints.endpoints)
main.add_command(recipes.recipes)
main.add_command(nodes.nodes)
main.add_command(simulate.simulate)
main.add_command(users.users)
main.add_command(members.members)
main.add_command(tokens.tokens)
main.add_command(audit.audit)
main.add_command(keep.backup)
main.add_command(keep.restore)
main.add_command(keep.fsck)
main.add_command(keep.storage)

if __name__ == "__main__":
    main(prog_name="datahall")
