"""What the payloads wrote down: read while they live, and when all is over."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Beat = dict[str, Any]


class Oracle:
    """The folder that payloads write to, followed from where it was last read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        self.beats = folder / "beats.jsonl"
        self.beats.touch()
        self._offset = 0

    def news(self) -> list[Beat]:
        """What was written since the last call."""
        with self.beats.open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")[0]
        self._offset += len(whole) + 1 if whole else 0
        return [json.loads(line) for line in whole.splitlines()]


@dataclass
class Life:
    """One payload from its first word to its last."""

    key: str
    workload: str
    pid: int
    started_ns: int = 0
    last_ns: int = 0
    started_at: float = 0.0
    last_at: float = 0.0
    lines: int = 0
    points: int = 0
    whats: list[str] = field(default_factory=list)  # without the beats

    @property
    def ended(self) -> bool:
        """It came to its end by itself."""
        return "end" in self.whats


def lives(beats: Iterable[Beat]) -> list[Life]:
    """Every life of every payload, by its start. Who could not take the lock did not live."""
    found: dict[tuple[str, int], Life] = {}
    for beat in beats:
        if beat["what"] == "double":
            continue
        who = beat["workload"], beat["pid"]
        life = found.get(who)
        if life is None:
            life = found[who] = Life(
                beat["key"], beat["workload"], beat["pid"], beat["t"], 0, beat["at"]
            )
        life.last_ns, life.last_at = beat["t"], beat["at"]
        life.lines, life.points = beat["lines"], beat["points"]
        if beat["what"] != "beat":
            life.whats.append(beat["what"])
    return sorted(found.values(), key=lambda life: life.started_ns)


def by_key(all_lives: Iterable[Life]) -> dict[str, list[Life]]:
    grouped: dict[str, list[Life]] = defaultdict(list)
    for life in all_lives:
        grouped[life.key].append(life)
    return grouped
