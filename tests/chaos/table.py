"""The table of storms in docs/benchmarks/chaos.md, made of docs/benchmarks/chaos.jsonl."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.evidence import Evidence
from tests.chaos.faults import PHASES
from tests.chaos.storm import counts

HERE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"
LEDGER, PAGE = HERE / "chaos.jsonl", HERE / "chaos.md"
MARK = "<!-- made by python -m tests.chaos from chaos.jsonl -->"


def add(evidence: Evidence, told: dict[str, Any]) -> None:
    """Note a storm, and make the table anew."""
    by_kind = {kind: dict(phases) for kind, phases in sorted(counts(evidence).items())}
    at = datetime.fromtimestamp(evidence.meta["began_at"], UTC).strftime("%Y-%m-%d")
    row = {**told, "violations": len(told["violations"]), "at": at, "by_kind": by_kind}
    with LEDGER.open("a") as ledger:
        ledger.write(json.dumps(row) + "\n")
    head = PAGE.read_text().split(MARK)[0]
    rows = [json.loads(line) for line in LEDGER.read_text().splitlines()]
    PAGE.write_text(head + MARK + "\n\n" + page(rows))


def page(rows: list[dict[str, Any]]) -> str:
    """Storm by storm, and what was injected in all of them."""
    lines = [
        "| date | commit | seed | faults | jobs | runs | lost | run twice | acked bytes lost"
        " | leases leaked | orphans | settled in | violations |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['at']} | {row['commit']} | {row['seed']} | {row['faults']} | {row['jobs']}"
        f" | {row['runs']} | {row['lost']} | {row['run_twice']} | {row['acked_lost']}"
        f" | {row['leaked']} | {row['orphans']} | {row['settled_seconds']} s"
        f" | {row['violations']} |"
        for row in rows
    ]
    total = {
        name: sum(row[name] for row in rows)
        for name in (
            "faults",
            "jobs",
            "runs",
            "lost",
            "run_twice",
            "acked_lost",
            "leaked",
            "orphans",
        )
    }
    longest = max((row["settled_seconds"] or 0 for row in rows), default=0)
    lines.append(
        f"| **all** | | | **{total['faults']}** | **{total['jobs']}** | {total['runs']}"
        f" | **{total['lost']}** | **{total['run_twice']}** | **{total['acked_lost']}**"
        f" | **{total['leaked']}** | **{total['orphans']}** | at most {longest} s"
        f" | {sum(row['violations'] for row in rows)} |"
    )
    kinds: dict[str, Counter[str]] = {}
    for row in rows:
        for kind, phases in row["by_kind"].items():
            kinds.setdefault(kind, Counter()).update(phases)
    lines += ["", "| fault | at submission | while it runs | at its end | in all |"]
    lines += ["|---|---|---|---|---|"]
    lines += [
        f"| {kind} | "
        + " | ".join(str(phases[phase] or "") for phase in PHASES)
        + f" | {phases.total()} |"
        for kind, phases in sorted(kinds.items())
    ]
    return "\n".join(lines) + "\n"
