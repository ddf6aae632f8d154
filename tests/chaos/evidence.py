"""All that is known of a storm once it is over, in one folder, so that it can be judged again.

``meta.json``      seed, commit, how long it took to settle, what may be said of it
``beats.jsonl``    the oracle: what payloads wrote down outside the platform
``history.jsonl``  the client: every request and its answer, in the order of sending
``faults.jsonl``   the driver: what was done, to whom, at which moment
``samples.jsonl``  what the parts took meanwhile: memory, connections
``rest.json``      the API afterwards: jobs, their runs, logs, points, outputs
``database.json``  Postgres afterwards: rows of the tables that invariants speak of
``nodes.json``     the nodes' folders and processes afterwards
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.chaos import oracle
from tests.chaos.oracle import Life

Row = dict[str, Any]
PARTS = {
    **dict.fromkeys(("meta", "rest", "database", "nodes"), "json"),
    **dict.fromkeys(("beats", "history", "faults", "samples"), "jsonl"),
}


@dataclass
class Evidence:
    """See above. Tests of the checker build it by hand."""

    meta: Row = field(default_factory=dict)
    beats: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    faults: list[Row] = field(default_factory=list)
    samples: list[Row] = field(default_factory=list)
    rest: Row = field(default_factory=dict)  # {"jobs": [...]}, see collect
    database: dict[str, list[Row]] = field(default_factory=dict)
    nodes: Row = field(default_factory=dict)  # {"folders": [...], "orphans": [...]}

    @classmethod
    def load(cls, folder: Path) -> "Evidence":
        return cls(**{name: _read(folder / f"{name}.{kind}") for name, kind in PARTS.items()})

    def save(self, folder: Path) -> None:
        """Write what is not there already: the streams were written as it went."""
        for name, kind in PARTS.items():
            value = getattr(self, name)
            if kind == "json":
                (folder / f"{name}.json").write_text(json.dumps(value, indent=1))
            else:
                lines = "".join(json.dumps(row) + "\n" for row in value)
                (folder / f"{name}.jsonl").write_text(lines)

    @property
    def jobs(self) -> list[Row]:
        """The jobs as the API shows them afterwards."""
        return list(self.rest.get("jobs", []))

    @cached_property
    def lives(self) -> list[Life]:
        return oracle.lives(self.beats)

    @cached_property
    def life_of(self) -> dict[str, Life]:
        """By workload; of several the first: I2 says whether that may be."""
        return {life.workload: life for life in reversed(self.lives)}

    @cached_property
    def workloads(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.rows("workloads")}

    @cached_property
    def faults_of(self) -> dict[str, list[str]]:
        """Which faults were aimed at a workload itself, by its id."""
        aimed: dict[str, list[str]] = defaultdict(list)
        for fault in self.faults:
            if fault.get("workload"):
                aimed[fault["workload"]].append(fault["kind"])
        return aimed

    def rows(self, table: str) -> list[Row]:
        return self.database.get(table, [])


def _read(path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(path.read_text())
    return [json.loads(line) for line in path.read_text().splitlines()]
