"""``python -m tests.chaos``: a storm on request, and its line in docs/benchmarks/chaos.md."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import checker, storm, table
from tests.chaos.site import Site
from tests.chaos.storm import Storm


def main() -> int:
    options = _parser().parse_args()
    folder = Path(tempfile.mkdtemp(prefix="datahall-chaos-"))
    folder.chmod(0o711)
    began = time.monotonic()

    def tell(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f} s  {text}\n")

    tell(f"seed {options.seed}, evidence in {folder / 'evidence'}")
    with Site(folder) as site:
        evidence = Storm(
            site,
            folder / "evidence",
            seed=options.seed,
            faults=options.faults,
            jobs=options.jobs,
            plane_stops=options.plane_stops,
            plane_seconds=options.plane_seconds,
            tell=tell,
        ).rage()
    told = checker.summary(evidence)
    for kind, phases in sorted(storm.counts(evidence).items()):
        tell(f"{kind}: {dict(phases)}")
    tell(
        f"{told['faults']} faults over {told['jobs']} jobs, settled in {told['settled_seconds']} s"
    )
    for broken in told["violations"]:
        tell(broken)
    tell(f"seed {options.seed}: {len(told['violations'])} violations")
    if options.write:
        table.add(evidence, told)
    return 1 if told["violations"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--jobs", type=int, default=300, help="at least so many")
    parser.add_argument("--faults", type=int, default=1000, help="at least so many")
    parser.add_argument("--plane-stops", type=int, default=4, help="of the whole control plane")
    parser.add_argument("--plane-seconds", type=float, default=60.0, help="how long each lasts")
    parser.add_argument("--no-write", dest="write", action="store_false", help="no line is added")
    return parser


if __name__ == "__main__":
    sys.exit(main())
