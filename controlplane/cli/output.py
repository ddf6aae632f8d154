"""What a command prints: tables for people, JSON for programs, control sequences for nobody."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])

UNSEEN_WIDTH = 1000  # what is written to a file or a pipe is not cut to a terminal's width

out = Console(
    highlight=False,
    markup=False,
    soft_wrap=True,
    width=None if sys.stdout.isatty() else UNSEEN_WIDTH,
)
errors = Console(stderr=True, highlight=False, markup=False)

SGR = re.compile(r"\x1b\[[0-9;]*m")
ESCAPES = re.compile(
    r"\x1b\[[0-9;]*m"  # kept: colours
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, clipboard, links
    r"|\x1b[PX^_].*?(?:\x1b\\|$)"  # DCS, SOS, PM, APC
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # any other CSI
    r"|\x1b.?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]",
    re.DOTALL,
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
project_option = click.option(
    "--project",
    envvar="DATAHALL_PROJECT",
    default="default",
    show_default=True,
    help="The project to work in.",
)


def harmless(text: str) -> str:
    """Foreign text for a terminal: colours stay, everything else that steers a terminal goes."""
    return ESCAPES.sub(lambda found: found[0] if SGR.fullmatch(found[0]) else "", text)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table; ``empty`` is what to do when there is nothing yet."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)  # the first is its name
    for row in rows:
        table.add_row(*(Text(harmless(str(cell))) for cell in row))
    if table.row_count:
        out.print(table)
    else:
        errors.print(empty)


def print_events(events: Iterable[dict[str, Any]]) -> None:
    """What happened, a line each, with who did it."""
    rows = ((moment(e["at"]), e["what"]["text"], e["actor"] or "") for e in events)
    print_table(("AT", "WHAT", "BY"), rows, "Nothing has happened yet.")


def print_facts(facts: dict[str, Any]) -> None:
    """Name and value, a line each; what is not known is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in facts.items():
        if value not in (None, ""):
            table.add_row(name, Text(harmless(str(value))))
    out.print(table)


def size(count: float | None) -> str:
    """Bytes for people, in binary units."""
    if count is None:
        return ""
    number, units = float(count), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while number >= 1024 and unit != "TiB":
        number, unit = number / 1024, next(units)
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def moment(text: str | None) -> str:
    """An ISO time without its fractions."""
    return (text or "")[:19].replace("T", " ")
