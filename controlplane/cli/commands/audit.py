"""`datahall audit`: the chain of what was done, as a file, and whether it holds."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agents.protocol import chain
from controlplane.cli.client import Client, connect
from controlplane.cli.output import json_option, print_facts, print_json

FAULTS = {
    "another_installation": "a checkpoint is of another installation",
    "chain_broken": "an entry does not follow the one before it",
    "checkpoint_disagrees": "a checkpoint vouches for another chain",
    "checkpoint_missing": "a checkpoint is missing",
    "does_not_begin": "there is no head",
    "end_disagrees": "the end does not fit what is before it",
    "entry_changed": "an entry was changed",
    "file_disagrees": "the file of checkpoints knows another chain than the database",
    "goes_on_after_its_end": "something follows the end",
    "is_cut_off": "the end is missing",
    "not_canonical": "a line was written by somebody else",
    "number_missing": "an entry is missing",
    "signature_wrong": "a signature is wrong",
    "signed_by_another_key": "a checkpoint was signed with another key than the one given",
    "unknown_format": "the head is damaged or of a later version",
    "unknown_record": "a line is none of an export",
    "unreadable": "a line cannot be read",
}


@click.group()
def audit() -> None:
    """Who did what: an append-only chain that anybody can verify."""


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path) -> None:
    """Write the whole chain to FILE, for verifying and keeping elsewhere."""
    client = connect()
    draft = file.with_name(f"{file.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        for line in _lines(client):
            output.write(line)
        output.flush()
        os.fsync(descriptor)
    draft.replace(file)
    click.echo(f"Written to {file}. Check it with: datahall audit verify {file}")


@audit.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--key", default="", help="Accept signatures of this public key alone (hexadecimal).")
@json_option
def verify(file: Path | None, key: str, as_json: bool) -> None:
    """Check the chain: the exported FILE, offline, or all that the installation has.

    Ends with 1 where it does not hold. Without --key a file's own keys are believed: compare the
    key that is shown with what you know of the installation.
    """
    if file is None:
        verdict = chain.verify_lines(_lines(connect()), key=key.lower())
    else:
        with file.open("rb") as lines:
            verdict = chain.verify_lines(lines, key=key.lower())
    if as_json:
        print_json(
            {
                "holds": verdict.holds,
                "entries": verdict.entries,
                "signed_through": verdict.signed_through,
                "checkpoints": verdict.checkpoints,
                "head": verdict.head,
                "keys": verdict.keys,
                "faults": [{"line": each.line, "code": each.code} for each in verdict.faults],
            }
        )
    else:
        print_facts(
            {
                "Entries": str(verdict.entries),
                "Signed": f"through entry {verdict.signed_through}, "
                f"by {verdict.checkpoints} checkpoints",
                "Head": verdict.head,
                "Key": ", ".join(verdict.keys),
            }
        )
    if not verdict.holds:
        said = [
            f"  {f'line {each.line}: ' if each.line else ''}{FAULTS[each.code]}"
            for each in verdict.faults
        ]
        raise click.ClickException("the chain does not hold:\n" + "\n".join(said))
    if not as_json:
        click.echo("The chain holds.")


@audit.command()
@json_option
def status(as_json: bool) -> None:
    """How the chain stands, as the installation last saw it."""
    state = connect().get("/audit/chain")
    if as_json:
        print_json(state)
        return
    signed, seen = state["checkpoint"], state["verification"]
    print_facts(
        {
            "Installation": state["installation"],
            "Entries": f"{state['entries']}, and {state['waiting']} waiting",
            "Signed": f"through entry {signed['number']} at {signed['signed_at']}"
            if signed
            else "",
            "Key": signed["public_key"] if signed else "",
            "Verified": _verified(seen) if seen else "not yet",
        }
    )


def _verified(seen: dict[str, Any]) -> str:
    if not seen["fault"]:
        return f"{seen['at']}: it holds"
    return f"{seen['at']}: at entry {seen['number']} {FAULTS[seen['fault']]}"


def _lines(client: Client) -> Iterator[bytes]:
    """An export, line by line."""
    state = client.get("/audit/chain")
    head = {"kind": "head", "format": chain.FORMAT, "installation": state["installation"]}
    yield chain.canonical(head) + b"\n"
    number, last, checkpoints, after = 0, chain.GENESIS, 0, 0
    while after is not None:
        page = client.get("/audit/chain/records", after=after)
        for record in page["records"]:
            yield chain.canonical(record) + b"\n"
            if record["kind"] == "entry":
                number, last = record["number"], record["hash"]
            else:
                checkpoints += 1
        after = page["next"]
    end = {"kind": "end", "number": number, "hash": last, "checkpoints": checkpoints}
    yield chain.canonical(end) + b"\n"
