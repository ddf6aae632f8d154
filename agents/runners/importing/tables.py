"""Describe CSV files in one pass, in memory that does not grow with them."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agents.protocol.results import Profile
from agents.runners.context import RunContext
from agents.runners.failure import Failure

PREVIEW_ROWS = 20
MAX_COLUMNS = 10_000
MAX_DISTINCT = 1_000
MAX_CELL_CHARS = 1024 * 1024
NULLS = frozenset({"", "na", "n/a", "nan", "null", "none"})
BOOLEANS = frozenset({"true", "false", "yes", "no"})


def profile(root: Path, paths: list[str], run: RunContext) -> Profile:
    """Schema, counts and first rows of tables that share their columns."""
    csv.field_size_limit(MAX_CELL_CHARS)
    columns: list[Column] = []
    preview: list[dict[str, object]] = []
    samples = 0
    for number, path in enumerate(paths, 1):
        for row in _rows(root / path, path, columns):
            samples += 1
            for column, cell in zip(columns, row, strict=True):
                column.see(cell)
            if len(preview) < PREVIEW_ROWS:
                preview.append({c.name: cell[:200] for c, cell in zip(columns, row, strict=True)})
        run.report(number, progress=number / len(paths))
    return Profile(
        kind="table", samples=samples, schema=[c.summary() for c in columns], preview=preview
    )


@dataclass
class Column:
    """What is known of a column so far."""

    name: str
    seen: int = 0
    nulls: int = 0
    kinds: set[str] = field(default_factory=set)
    distinct: set[str] = field(default_factory=set)
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0

    def see(self, cell: str) -> None:
        self.seen += 1
        text = cell.strip()
        if text.lower() in NULLS:
            self.nulls += 1
            return
        if len(self.distinct) <= MAX_DISTINCT:
            self.distinct.add(text[:200])
        kind = kind_of(text)
        self.kinds.add(kind)
        if kind in ("int", "float"):
            value = float(text)
            self.low, self.high = min(self.low, value), max(self.high, value)
            self.total += value

    @property
    def type(self) -> str:
        if not self.kinds:
            return "empty"
        if self.kinds == {"int", "float"}:
            return "float"
        return next(iter(self.kinds)) if len(self.kinds) == 1 else "text"

    def summary(self) -> dict[str, object]:
        known = self.seen - self.nulls
        summary: dict[str, object] = {
            "name": self.name,
            "type": self.type,
            "nulls": self.nulls,
            "distinct": len(self.distinct) if len(self.distinct) <= MAX_DISTINCT else None,
        }
        if self.type in ("int", "float") and known:
            summary |= {"min": self.low, "max": self.high, "mean": self.total / known}
        return summary


def kind_of(text: str) -> str:
    """The narrowest type that a cell can be read as."""
    try:
        int(text)
    except ValueError:
        pass
    else:
        return "int"
    try:
        value = float(text)
    except ValueError:
        pass
    else:
        return "float" if math.isfinite(value) else "text"
    if text.lower() in BOOLEANS:
        return "bool"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return "text"
    return "datetime"


def _rows(path: Path, shown: str, columns: list[Column]) -> Iterator[list[str]]:
    """The rows below the header, which must be the same in every file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, dialect=_dialect(path), strict=True)
            header = next(reader, None)
            _take_header(header, shown, columns)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(columns):
                    raise Failure(
                        "table_row_ragged",
                        path=shown,
                        line=reader.line_num,
                        expected=len(columns),
                        found=len(row),
                    )
                yield row
    except UnicodeDecodeError as error:
        raise Failure("table_not_utf8", path=shown, byte=error.start) from None
    except csv.Error as error:
        raise Failure("table_unreadable", path=shown, why=str(error)) from None


def _take_header(header: list[str] | None, shown: str, columns: list[Column]) -> None:
    names = [name.strip() for name in header or []]
    if not names or len(names) > MAX_COLUMNS or len(set(names)) != len(names) or "" in names:
        raise Failure("table_header_refused", path=shown)
    if columns and names != [column.name for column in columns]:
        raise Failure("table_headers_differ", path=shown)
    if not columns:
        columns.extend(Column(name) for name in names)


def _dialect(path: Path) -> type[csv.Dialect]:
    if path.suffix.lower() == ".tsv":
        return csv.excel_tab
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(MAX_CELL_CHARS)

    class Found(csv.excel):
        delimiter = max(",;\t|", key=first.count)

    return Found
