"""How many calls a replica answers: ``python -m tests.bench.replica [seconds]``.

A small network, one row of 28 x 28 numbers per call, one connection over TLS, one torch thread. So
many calls are outstanding all the time: for every answer the next call is sent. Besides the rate it
says what a call costs the replica's process, which a busy machine falsifies less.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from agents.protocol.calls import TENSORS, Call, decode_answers, encode_calls
from tests.agents.runners.replica import Gateway, Replica, numbers

OUTSTANDING = (1, 16, 64, 256)


async def measure(replica: Replica, outstanding: int, seconds: float) -> str:
    body = numbers()
    async with Gateway(replica.service()) as gateway:
        await gateway.greeted()
        socket = gateway.socket
        sent = answered = rows = queued = computed = 0

        async def send(count: int) -> None:
            nonlocal sent
            calls = [Call(sent + n, TENSORS, body, 1) for n in range(count)]
            sent += count
            await socket.send(encode_calls(calls))

        began, cpu = time.perf_counter(), replica.cpu_seconds()
        for _ in range(outstanding):
            await send(1)
        while time.perf_counter() < began + seconds:
            answers = decode_answers(await socket.recv(decode=False))
            answered += len(answers)
            for answer in answers:
                assert answer.status == 200, answer
                rows += answer.batch
                queued += answer.queued_us
                computed += answer.computed_us
            await send(len(answers))
        took = time.perf_counter() - began
        cpu = replica.cpu_seconds() - cpu
    return (
        f"{outstanding:4} outstanding: {answered / took:8,.0f} calls/s, "
        f"{cpu / answered * 1e6:4.0f} us of the replica's CPU per call "
        f"({answered / cpu:,.0f} calls per CPU second), mean batch {rows / answered:.1f}, "
        f"queued {queued / answered:,.0f} us, computed {computed / answered:,.0f} us"
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as folder:
        replica = Replica(Path(folder))
        replica.start()
        try:
            for outstanding in OUTSTANDING:
                line = asyncio.run(measure(replica, outstanding, seconds))
                sys.stdout.write(line + "\n")
        finally:
            replica.stop()
            sys.stdout.write(replica.log)


if __name__ == "__main__":
    main()
