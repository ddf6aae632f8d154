"""Become the user's script: same process, its own environment, nothing of ours imported."""

import os
import shutil

from agents.protocol.specs import ScriptSpec
from agents.runners import environments
from agents.runners.failure import Failure
from agents.runners.inputs import LIMITS
from agents.runners.order import Order
from agents.runners.unpack import unpack


def become(payload: ScriptSpec, order: Order) -> None:
    """Replace this process by the script; returns only by raising ``Failure``."""
    code = order.fetched_code / payload.code.path
    if code.suffix == ".zip":
        unpack(code, order.work, LIMITS)
    else:
        shutil.copyfile(code, order.work / code.name)
    entrypoint = (order.work / payload.entrypoint).resolve()
    if not entrypoint.is_relative_to(order.work.resolve()) or not entrypoint.is_file():
        raise Failure("entrypoint_missing", entrypoint=payload.entrypoint)
    python = environments.ensure(payload.requirements, order.environments)
    env = order.env | {"PATH": f"{python.parent}:{order.env.get('PATH', os.defpath)}"}
    os.chdir(order.work)
    os.execve(python, [str(python), str(entrypoint), *payload.arguments], env)
