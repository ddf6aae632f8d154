"""A replica: one model version behind a websocket, see docs/subsystems/serving.md.

Two threads: the loop talks, the model computes. While the model computes, calls gather; when it is
done it takes what is there. Pictures are decoded on threads of their own, so that a slow one keeps
nobody waiting but its caller.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time

import torch

from agents.protocol.specs import MODEL_INPUT, REPLICA_BEARER, ServeSpec
from agents.protocol.workloads import Cause
from agents.runners.context import RunContext
from agents.runners.failure import Failure
from agents.runners.order import Order
from agents.runners.predictor import device_to_use, set_up
from agents.runners.serving import door
from agents.runners.serving.engine import Engine

SWITCH_SECONDS = 0.0005  # how long a busy thread may keep the other from its turn


def run(payload: ServeSpec, order: Order) -> None:
    """Serve until SIGTERM; what was taken by then is answered first."""
    bearer = os.environ.get(REPLICA_BEARER, "")
    if not bearer:
        raise Failure("replica_bearer_missing", cause=Cause.ENVIRONMENT)
    context = RunContext(order)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # a port scan is no news
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    sys.setswitchinterval(SWITCH_SECONDS)
    device = device_to_use()
    predictor, signature = set_up(order.inputs / MODEL_INPUT, device)
    context.say(f"a model of {signature.recipe} on {device}, {len(signature.labels)} classes")
    engine = Engine(
        predictor, max_batch=payload.max_batch, max_queue=payload.max_queue, decoders=threads
    )
    asyncio.run(_serve(engine, bearer, order, context))


async def _serve(engine: Engine, bearer: str, order: Order, context: RunContext) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    with engine.running(on_broken=ending.set):
        began = time.perf_counter()
        await engine.until_warm()
        took = time.perf_counter() - began
        context.say(f"warm after {took:.2f} s; {engine.best_batch} rows at a time suffice")
        gc.collect()
        gc.freeze()  # what is there now stays: the collector need not look at it again
        if ending.is_set():
            return
        async with door.opened(engine, bearer, order.host) as opened:
            door.tell(order.told, opened.service)
            context.say(f"serving at {opened.service.host}:{opened.service.port}")
            await ending.wait()
            context.say("no more calls are taken")
            engine.drain()
            await opened.drained()
    engine.raise_if_broken()
    context.say(f"{engine.answered} calls answered in {engine.batches} batches")
