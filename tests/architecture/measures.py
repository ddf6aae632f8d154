"""How long modules and functions are: `python -m tests.architecture.measures [--write]`.

Measured as for the code bases it is compared with: Python outside tests and migrations, lines that
are not blank, functions with all they hold. ``--write`` puts the tables into docs/architecture.md.
"""

import ast
import hashlib
import itertools
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/architecture.md"
PARTS = ("controlplane", "apps", "agents")
SAME_LINES = 6  # that stand in two places make a repeated block
LONGEST = 8

# module, function: median / p90 / max; annotated share: docs of the code bases measured alike
ANCHORS = """\
| healthchecks `hc/` | 176 | 44 / 161 / 1584 | 8 / 32 / 181 | 99% |
| NetBox `netbox/` | 669 | 92 / 451 / 9768 | 8 / 29 / 295 | 3% |
| AWX `awx/` | 270 | 63 / 541 / 6262 | 7 / 28 / 206 | 0% |
| dstack server | 192 | 104 / 621 / 2783 | 12 / 47 / 229 | 80% |
| procrastinate | 63 | 45 / 358 / 1042 | 8 / 32 / 126 | 71% |
| LitServe | 35 | 75 / 501 / 1671 | 6 / 48 / 250 | 28% |
| gpustack | 318 | 182 / 918 / 3237 | 16 / 55 / 627 | 60% |
"""


@dataclass
class Measured:
    """One part of the tree."""

    modules: dict[str, int] = field(default_factory=dict)  # lines by path
    functions: dict[str, int] = field(default_factory=dict)  # lines by path and name
    annotated: int = 0

    def row(self, name: str) -> str:
        share = self.annotated / len(self.functions)
        cells = [_spread(list(self.modules.values())), _spread(list(self.functions.values()))]
        return f"| {name} | {len(self.modules)} | {cells[0]} | {cells[1]} | {share:.0%} |"


def _spread(lines: list[int]) -> str:
    p90 = statistics.quantiles(lines, n=10)[-1]
    return f"{statistics.median(lines):.0f} / {p90:.0f} / {max(lines)}"


def sources(part: str) -> Iterator[Path]:
    """The modules of a part; empty `__init__.py` do not count, nor do migrations."""
    for path in sorted((ROOT / part).rglob("*.py")):
        if "migrations" not in path.parts and path.stat().st_size:
            yield path


def measure(paths: list[Path]) -> Measured:
    """Lines of modules and functions, and how many functions say what they return."""
    found = Measured()
    for path in paths:
        text = path.read_text()
        name = str(path.relative_to(ROOT))
        lines = text.splitlines()
        found.modules[name] = sum(bool(line.strip()) for line in lines)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = lines[node.lineno - 1 : node.end_lineno]
                key = f"{name}:{node.lineno} {node.name}"
                found.functions[key] = sum(bool(line.strip()) for line in body)
                found.annotated += node.returns is not None
    return found


def repeated(paths: list[Path]) -> list[tuple[str, str]]:
    """Pairs of places that share so many lines; imports, blank lines and brackets do not count."""
    seen: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for path in paths:
        kept = [
            (number, line.strip())
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if re.search(r"\w", line) and not re.match(r"\s*(#|from |import |@|\w+,$)", line)
        ]
        for at in range(len(kept) - SAME_LINES + 1):
            block = "\n".join(line for _, line in kept[at : at + SAME_LINES])
            digest = hashlib.sha256(block.encode()).hexdigest()
            seen[digest].append((str(path.relative_to(ROOT)), kept[at][0]))
    pairs: dict[tuple[str, str], tuple[str, str]] = {}  # by files: the first block of a run
    for places in seen.values():
        for (left, at), (right, other) in itertools.pairwise(places):
            pairs.setdefault((left, right), (f"{left}:{at}", f"{right}:{other}"))
    return list(pairs.values())


def tables() -> str:
    """The tables as they stand in the document."""
    paths = {part: list(sources(part)) for part in PARTS}
    everything = [path for group in paths.values() for path in group]
    rows = [measure(group).row(f"Datahall `{part}/`") for part, group in paths.items()]
    whole = measure(everything)
    longest = sorted(whole.functions.items(), key=lambda item: -item[1])[:LONGEST]
    largest = sorted(whole.modules.items(), key=lambda item: -item[1])[:LONGEST]
    contracts = (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")
    blocks = repeated(everything)
    return "\n".join(
        [
            "| code | modules | lines per module: median / p90 / max "
            "| per function: median / p90 / max | annotated |",
            "|---|---|---|---|---|",
            whole.row("**Datahall**"),
            *rows,
            ANCHORS,
            f"Import contracts: {contracts}. Blocks of {SAME_LINES} lines that stand in two files: "
            f"{len(blocks)}" + (":" if blocks else "."),
            *(f"- `{left}` and `{right}`" for left, right in blocks),
            "",
            "Longest modules: " + ", ".join(f"`{name}` {n}" for name, n in largest) + ".",
            "Longest functions: " + ", ".join(f"`{name}` {n}" for name, n in longest) + ".",
        ]
    )


def main() -> None:
    text = tables()
    if "--write" in sys.argv:
        begin, end = "<!-- measured -->", "<!-- end -->"
        head, _, rest = DOCUMENT.read_text().partition(begin)
        tail = rest.partition(end)[2]
        DOCUMENT.write_text(f"{head}{begin}\n{text}\n{end}{tail}")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
