"""``python -m agents.simulation``: many simulated nodes in one process, until Ctrl-C.

Where the installation is, and an operator's token for it, are read from the environment:
DATAHALL_URL and DATAHALL_TOKEN.
"""

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from pathlib import Path

from agents.node.client import Refused, Unavailable
from agents.node.concurrency import each
from agents.node.config import InUse, State
from agents.simulation.node import SimulatedNode, has_work
from agents.simulation.operator import Operator

AT_ONCE = 8  # nodes that join or leave: the installation may have others to look after
FILES_PER_NODE = 16


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("agents.node.link", "agents.node.orders"):  # a line of each node is too much
        logging.getLogger(chatty).setLevel(logging.ERROR)
    url = os.environ["DATAHALL_URL"].rstrip("/")
    folder = State(options.state)
    folder.prepare()
    try:
        folder.lock()
    except InUse:
        return _fail(f"another simulation is at work in {folder.folder}")
    _allow_files(FILES_PER_NODE * options.nodes)
    simulation = Simulation(
        folder.folder / "nodes", url, gpus=options.gpus, job_seconds=options.job_seconds
    )
    try:
        if options.remove:
            return asyncio.run(simulation.remove(os.environ["DATAHALL_TOKEN"]))
        return asyncio.run(simulation.run(os.environ["DATAHALL_TOKEN"], options.nodes))
    except Unavailable as error:
        return _fail(f"{url} does not answer: {error}")
    except Refused as refused:
        return _fail(f"refused: {refused.problem.detail or refused.problem.title}")


class Simulation:
    """The nodes of one folder."""

    def __init__(self, folder: Path, url: str, *, gpus: int, job_seconds: float) -> None:
        self._folder = folder
        self._url = url
        self._gpus = gpus
        self._job_seconds = job_seconds

    async def run(self, token: str, count: int) -> int:
        """Join whoever has not, and be all of them until somebody says stop."""
        ending = _asked_to_end()
        nodes = [self._node(f"sim-{number:04d}") for number in range(1, count + 1)]
        async with Operator(self._url, token) as operator:
            joining = asyncio.create_task(
                each(lambda one: self._admit(one, operator), nodes, at_once=AT_ONCE)
            )
            asked = asyncio.create_task(ending.wait())
            await asyncio.wait([joining, asked], return_when=asyncio.FIRST_COMPLETED)
            if not joining.done():
                joining.cancel()
                await asyncio.gather(joining, return_exceptions=True)
                return 0
            asked.cancel()
            await joining
        _say(f"{count} simulated nodes of {self._gpus} GPUs are at work; Ctrl-C ends them")
        async with asyncio.TaskGroup() as group:
            for number, node in enumerate(nodes):
                group.create_task(node.run(ending, phase=number / count))
        _say("they have left; the same nodes come back when it is started again")
        return 0

    async def remove(self, token: str) -> int:
        """Retire every node of the folder: no new work, what it has is ended, then it is gone."""
        names = sorted(path.name for path in self._folder.glob("*") if path.is_dir())
        nodes = [self._node(name) for name in names]
        kept: list[str] = []

        async def retire(node: SimulatedNode) -> None:
            if node.has_joined and await node.is_known():
                identity = node.state.identity()
                await operator.cordon(identity.node, reason="simulated, being removed")
                if has_work(node.state):
                    await node.run(asyncio.Event(), phase=0.0, interrupt=True)
                try:
                    await operator.remove(identity.node)
                except Refused as refused:
                    kept.append(f"{identity.name}: {refused.problem.detail}")
                    return
            node.forget()

        async with Operator(self._url, token) as operator:
            await each(retire, nodes, at_once=AT_ONCE)
        _say(f"removed {len(nodes) - len(kept)} simulated nodes")
        return _fail("\n".join(kept)) if kept else 0

    def _node(self, name: str) -> SimulatedNode:
        return SimulatedNode(
            State(self._folder / name), name=name, gpus=self._gpus, job_seconds=self._job_seconds
        )

    async def _admit(self, node: SimulatedNode, operator: Operator) -> None:
        """Joined, and known to this installation; raises what keeps it from that."""
        if node.has_joined:
            node.state.keep_address(self._url)
            if await node.is_known():
                return
            node.forget()  # removed, or another installation's
        await node.join(self._url, await operator.invite())


def _asked_to_end() -> asyncio.Event:
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    return ending


def _allow_files(wanted: int) -> None:
    """As many open files as the nodes need, as far as we may raise that ourselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agents.simulation", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--nodes", type=int, default=10, metavar="N")
    parser.add_argument("--gpus", type=int, default=8, metavar="M", help="of each node")
    parser.add_argument(
        "--job-seconds",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long a job pretends to run, on the mean",
    )
    parser.add_argument("--remove", action="store_true", help="retire the nodes of this folder")
    return parser


def _say(message: str) -> None:
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


def _fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
