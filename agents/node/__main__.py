"""``python -m agents.node``: join an installation, work for it, or say how this host is."""

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
from pathlib import Path

import msgspec

from agents.node import client, doctor, isolation
from agents.node.config import Identity, InUse, NotJoined, State, public_key_of
from agents.node.daemon import Daemon, Options
from agents.node.inventory import Hardware
from agents.protocol.checks import Check, Outcome
from agents.protocol.rest import JoinRequest


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("httpx", "httpcore", "websockets"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return int(options.run(options))


def run(options: argparse.Namespace) -> int:
    state = State(options.state)
    state.prepare()
    try:
        state.lock()
        chosen = isolation.choose(
            isolation.Wanted(options.isolation),
            state.folder,
            [*options.share, *_shares(os.environ.get("DATAHALL_SHARES", ""))],
        )
        if options.url:
            state.keep_address(options.url.rstrip("/"))
        daemon = Daemon(
            state,
            Options(
                use_broker=not options.no_broker,
                use_pull=not options.no_pull,
                simulated_gpus=options.simulate_gpus,
                advertise_host=options.advertise_host,
                isolation=chosen,
            ),
            os.environ,
        )
    except (isolation.Unavailable, argparse.ArgumentTypeError, ValueError) as error:
        return _fail(str(error))
    except NotJoined:
        return _fail(f"{state.folder} has not joined an installation; run: datahall nodes join")
    except InUse:
        return _fail(f"another agent is at work in {state.folder}")
    asyncio.run(daemon.run())
    return 0


def join(options: argparse.Namespace) -> int:
    state = State(options.state)
    state.prepare()
    try:
        state.lock()
    except InUse:
        return _fail(f"another agent is at work in {state.folder}")
    if state.identity_file.exists():
        return _fail(f"{state.folder} has joined {state.identity().url} already")
    name = options.name or socket.gethostname()
    request = JoinRequest(
        token=options.token,
        name=name,
        public_key=public_key_of(state.key()),
        inventory=Hardware(state, name=name).inventory(),
    )
    url = options.url.rstrip("/")
    try:
        answer = asyncio.run(client.join(url, request))
    except client.Unavailable as error:
        return _fail(f"{url} does not answer: {error}")
    except client.Refused as refused:
        return _fail(f"refused: {refused.problem.detail or refused.problem.title}")
    state.keep_identity(
        Identity(
            node=answer.node,
            name=answer.name,
            url=url,
            signing_keys=answer.signing_keys,
            broker=answer.broker,
        )
    )
    sys.stdout.write(json.dumps({"node": str(answer.node), "name": answer.name}) + "\n")
    return 0


def examine(options: argparse.Namespace) -> int:
    found = doctor.examine(State(options.state) if options.state else None)
    if options.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_line(check) for check in found) + "\n")
    return int(any(check.outcome is Outcome.FAILED for check in found))


def _line(check: Check) -> str:
    fix = f"\n{'':26}{check.fix}" if check.fix else ""
    return f"{check.outcome:9} {check.name:15} {check.found}{fix}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agents.node", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    running = verbs.add_parser("run", help="work for the installation this node has joined")
    running.add_argument("--state", type=Path, required=True, metavar="DIR")
    running.add_argument("--url", help="where the control plane is now, if it has moved")
    running.add_argument("--no-broker", action="store_true", help="live by pulling alone")
    running.add_argument("--no-pull", action="store_true", help="live by the broker alone")
    running.add_argument("--simulate-gpus", type=int, default=0, metavar="N")
    running.add_argument(
        "--advertise-host",
        default="",
        metavar="HOST",
        help="where gateways reach what serves here; the address towards the control plane "
        "by default",
    )
    running.add_argument(
        "--isolation",
        choices=[one.value for one in isolation.Wanted],
        default=os.environ.get("DATAHALL_ISOLATION") or isolation.Wanted.AUTO.value,
        help="what jobs are kept from: bwrap (everything but their own), none (nothing), or auto "
        "(bwrap where it works); DATAHALL_ISOLATION by default",
    )
    running.add_argument(
        "--share",
        action="append",
        type=_share,
        default=[],
        metavar="DIR[:rw]",
        help="a folder of this host that isolated jobs see too, read-only or with :rw for writing; "
        "may be repeated. DATAHALL_SHARES holds more, separated by commas",
    )
    running.set_defaults(run=run)

    joining = verbs.add_parser("join", help="trade a join token for an identity")
    joining.add_argument("url")
    joining.add_argument("token")
    joining.add_argument("--state", type=Path, required=True, metavar="DIR")
    joining.add_argument("--name", help="how people call this node; its host name by default")
    joining.set_defaults(run=join)

    examining = verbs.add_parser("doctor", help="what a node needs, and what is here")
    examining.add_argument("--state", type=Path, metavar="DIR")
    examining.add_argument("--json", action="store_true", help="print JSON")
    examining.set_defaults(run=examine)
    return parser


def _share(text: str) -> isolation.Share:
    folder, _, how = text.partition(":")
    path = Path(folder)
    if how not in ("", "rw") or not path.is_absolute() or not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no absolute path of a folder, or with :rw")
    return isolation.Share(path, writable=how == "rw")


def _shares(text: str) -> list[isolation.Share]:
    return [_share(one) for one in text.split(",") if one]


def _fail(message: str) -> int:
    sys.stderr.write(message + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
