"""A replica in a process of its own, and a gateway's side of the talk with it."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors.torch import save_file
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from agents.protocol.calls import (
    MAX_MESSAGE_BYTES,
    TENSORS,
    Answer,
    Call,
    Greeted,
    Greeting,
    decode_answers,
    encode_calls,
)
from agents.protocol.link import Service
from agents.protocol.results import Signature, Tensor
from agents.protocol.specs import REPLICA_BEARER
from agents.recipes.image_classification.model import build
from tests.agents.node.waiting import wait_for
from tests.agents.runners.conftest import MAIN

BEARER = "a bearer of a replica"


def signature_of(*, size: int = 28, channels: int = 1, labels: Sequence[str]) -> Signature:
    return Signature(
        task="image_classification",
        recipe="image_classification",
        inputs=[Tensor(name="image", dtype="float32", shape=[None, channels, size, size])],
        outputs=[Tensor(name="logits", dtype="float32", shape=[None, len(labels)])],
        weights="model.safetensors",
        labels=list(labels),
    )


def leave_model(
    folder: Path,
    *,
    labels: Sequence[str] = tuple("0123456789"),
    signature: Signature | None = None,
    weights: dict[str, torch.Tensor] | None = None,
) -> torch.nn.Module:
    """A model version with weights of chance, or those given."""
    torch.manual_seed(0)
    model = build(channels=1, size=28, classes=len(labels))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights or model.state_dict(), folder / "model.safetensors")
    body = msgspec.json.encode(signature or signature_of(labels=labels))
    (folder / "signature.json").write_bytes(body)
    return model.eval()


class Replica:
    """What the shim would start, on a workspace as the daemon would leave it."""

    def __init__(self, folder: Path, *, bearer: str = BEARER, threads: int = 1, **payload: Any):
        self.workspace = folder
        for name in ("fetched", "outputs", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.model = leave_model(folder / "fetched" / "model")
        env = {
            "PATH": os.defpath,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
            REPLICA_BEARER: bearer,
        }
        order = {
            "spec": {
                "name": "a replica",
                "payload": {"kind": "serve", **payload},
                "resources": {"cpu_millis": 1000, "memory_bytes": 2**31},
                "inputs": [{"name": "model", "files": []}],
            },
            "workspace": str(folder),
            "environments": str(folder / "environments"),
            "env": env,
            "host": "127.0.0.1",
        }
        (folder / "order.json").write_text(json.dumps(order))
        self._env = env

    def start(self) -> None:
        with (self.workspace / "log").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-I", MAIN, self.workspace],
                env=self._env,
                cwd=self.workspace / "work",
                stdout=said,
                stderr=said,
            )

    @property
    def log(self) -> str:
        return (self.workspace / "log").read_text()

    @property
    def failure(self) -> dict[str, Any]:
        return dict(json.loads((self.workspace / "told" / "failure.json").read_text()))

    def service(self) -> Service:
        """Where it is, once it is warm."""
        file = self.workspace / "told" / "service.json"
        wait_for(lambda: file.exists() or self.process.poll() is not None, "the replica", 60)
        assert file.exists(), self.log
        return msgspec.json.decode(file.read_bytes(), type=Service)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def close(self) -> None:
        with suppress(AttributeError):
            self.process.kill()
            self.process.wait(30)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Gateway:
    """One connection; use it as a context."""

    def __init__(self, service: Service, *, bearer: str = BEARER) -> None:
        self._service = service
        self._bearer = bearer
        self._next = 0

    async def __aenter__(self) -> "Gateway":
        trusted = ssl.create_default_context(cadata=self._service.certificate)
        self.socket: ClientConnection = await connect(
            f"wss://{self._service.host}:{self._service.port}",
            ssl=trusted,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
        )
        await self.socket.send(msgspec.msgpack.encode(Greeting(bearer=self._bearer)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def greeted(self) -> Greeted:
        return msgspec.msgpack.decode(await self.socket.recv(decode=False), type=Greeted)

    def call(self, body: bytes, *, kind: str = TENSORS, rows: int = 1) -> Call:
        self._next += 1
        return Call(self._next, kind, body, rows)

    async def send(self, *calls: Call) -> None:
        await self.socket.send(encode_calls(list(calls)))

    async def answers(self, count: int) -> dict[int, Answer]:
        """The next so many answers, by the ids of their calls."""
        found: dict[int, Answer] = {}
        async with asyncio.timeout(30):
            while len(found) < count:
                for answer in decode_answers(await self.socket.recv(decode=False)):
                    assert answer.id not in found
                    found[answer.id] = answer
        return found

    async def rest(self) -> tuple[dict[int, Answer], int | None]:
        """All answers until the replica closes the connection, and the code it closes it with."""
        found: dict[int, Answer] = {}
        try:
            while True:
                found |= await self.answers(1)
        except ConnectionClosed as closed:
            return found, closed.rcvd and closed.rcvd.code

    async def ask(self, body: bytes, *, kind: str = TENSORS, rows: int = 1) -> Answer:
        call = self.call(body, kind=kind, rows=rows)
        await self.send(call)
        return (await self.answers(1))[call.id]


def numbers(rows: int = 1, seed: int = 0) -> bytes:
    """A body of so many pictures' worth of numbers."""
    return np.random.default_rng(seed).random((rows, 1, 28, 28), dtype=np.float32).tobytes()
