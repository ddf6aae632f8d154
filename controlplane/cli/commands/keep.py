"""`datahall backup`, `restore`, `fsck`, `storage`: what keeps an installation's data."""

from pathlib import Path
from typing import Any

import click

from controlplane.cli import config
from controlplane.cli.client import connect
from controlplane.cli.embedded import backup as backups
from controlplane.cli.embedded.service import EmbeddedError
from controlplane.cli.output import errors, json_option, moment, print_facts, print_json, size

folder_argument = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
state_option = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="The installation's folder. [default: .state of the checkout]",
)


@click.command()
@folder_argument
@state_option
@click.option(
    "--keys",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write passwords and keys to this file instead of beside the backup.",
)
@json_option
def backup(folder: Path, state: Path | None, keys: Path | None, as_json: bool) -> None:
    """Back the installation on this machine up into FOLDER, while it runs.

    Bytes that an earlier backup in FOLDER has are not copied again. Whoever has the keys can speak
    for the installation: keep them apart.
    """
    try:
        made = backups.backup(
            (state or config.default_state()).absolute(), folder.absolute(), keys=keys, tell=_tell
        )
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from None
    facts = {
        "folder": str(made.folder),
        "keys": str(made.keys),
        "installation": made.manifest.installation,
        "database_bytes": made.manifest.database_bytes,
        "blobs": made.manifest.blobs,
        "blob_bytes": made.manifest.blob_bytes,
        "copied": made.copied,
        "copied_bytes": made.copied_bytes,
    }
    if as_json:
        print_json(facts)
        return
    print_facts(
        {
            "Backup": str(made.folder),
            "Keys": f"{made.keys} (whoever has them can speak for the installation)",
            "Database": size(made.manifest.database_bytes),
            "Files": f"{made.manifest.blobs}, {size(made.manifest.blob_bytes)}; "
            f"copied {made.copied}, {size(made.copied_bytes)}",
        }
    )


@click.command()
@folder_argument
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new or empty folder for the installation.",
)
@click.option(
    "--keys",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the keys are, if not beside the backup.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Of the web server, if another.")
@click.option("--other-instance", is_flag=True, help="Take keys of another installation.")
@json_option
def restore(
    folder: Path,
    state: Path,
    keys: Path | None,
    port: int | None,
    other_instance: bool,
    as_json: bool,
) -> None:
    """Build the installation of a backup again: the newest in FOLDER, or FOLDER itself.

    Start it with `datahall up --state`. Nodes find it at the address they know; nothing new is
    placed until all of them were heard.
    """
    try:
        found = backups.restore(
            folder.absolute(),
            state.absolute(),
            keys=keys,
            port=port,
            other_instance=other_instance,
            tell=_tell,
        )
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(found)
    else:
        print_facts(
            {
                "Installation": found["installation"],
                "Files": f"{found['artifacts']}, missing {len(found['missing'])}, "
                f"damaged {len(found['damaged'])}",
                "Start it": f"datahall up --state {state}",
            }
        )
    if found["missing"] or found["damaged"]:
        raise click.exceptions.Exit(1)


@click.command()
@state_option
@click.option("--fast", is_flag=True, help="Compare sizes, and hash nothing.")
@json_option
def fsck(state: Path | None, fast: bool, as_json: bool) -> None:
    """Check the installation on this machine: rows against bytes, bytes against their names.

    Changes nothing; ends with 1 where something is missing or damaged. The audit's chain is read
    as well.
    """
    try:
        well, found = backups.fsck((state or config.default_state()).absolute(), fast=fast)
    except EmbeddedError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(found)
    else:
        print_facts(
            {
                "Held": f"{found['artifacts']} digests",
                "Stored": f"{found['blobs']} files, {size(found['blob_bytes'])}",
                "Missing": ", ".join(found["missing"]) or "none",
                "Damaged": ", ".join(found["damaged"]) or "none",
                "Held by nobody": f"{found['unheld']} files, {size(found['unheld_bytes'])}",
                "Audit": found["audit_fault"] or "holds",
            }
        )
    if not well:
        raise click.exceptions.Exit(1)


@click.command()
@json_option
def storage(as_json: bool) -> None:
    """What the store of files holds, and what of it could go."""
    found: dict[str, Any] = connect().get("/storage")
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "Stored": f"{found['blobs']} files, {size(found['blob_bytes'])}",
            "Held by nobody": f"{found['reclaimable']} files, {size(found['reclaimable_bytes'])}; "
            "removed when they are a day old",
            "Uploads on their way": str(found["uploads"]),
            "Free": size(found["free_bytes"]),
            "Damaged": str(found["damaged"]),
            "All read": moment(found["scrubbed_at"]) or "not yet",
        }
    )


def _tell(what: str) -> None:
    errors.print(what)
