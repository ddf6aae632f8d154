"""Run one workload: ``python -I <this file> <workspace>``, started by the node's shim.

It prepares the inputs, then becomes the user's script or does itself what is asked for.
What is not the payload's own fault is said in ``failure.json``, for the daemon to report.
"""

import resource
import sys
from pathlib import Path

if __name__ == "__main__":  # -I keeps the caller's folders off the path, and ours with them
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.protocol.specs import EvaluateSpec, ImportSpec, RecipeSpec, ScriptSpec, ServeSpec
from agents.runners import inputs, recipe, script
from agents.runners.failure import Failure
from agents.runners.importing import importer
from agents.runners.order import Order, read_order


def main(workspace: Path) -> int:
    """Run the order in a workspace; the exit status is the payload's."""
    order = read_order(workspace)
    order.told.mkdir(exist_ok=True)
    _limit(order)
    try:
        inputs.prepare(order)
        _run(order)
    except Failure as failure:
        failure.leave_in(order.told)
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def _limit(order: Order) -> None:
    """What the payload inherits. Only in a box: elsewhere all of a user's processes count."""
    if order.most_processes is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        most = order.most_processes if hard < 0 else min(order.most_processes, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the host's handler is not for it


def _run(order: Order) -> None:
    match order.spec.payload:
        case ScriptSpec() as payload:
            script.become(payload, order)
        case RecipeSpec() as payload:
            recipe.run(payload, order)
        case ImportSpec() as payload:
            importer.run(payload, order)
        case ServeSpec() as payload:
            from agents.runners import serve  # it brings torch, which takes a second

            serve.run(payload, order)
        case EvaluateSpec() as payload:
            from agents.runners import evaluate

            evaluate.run(payload, order)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
