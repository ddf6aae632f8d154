"""A control plane of memory, for what the real one does not do on demand: being away, refusing,
keeping its acknowledgements back. It speaks the real wire over real sockets."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agents.protocol import link
from agents.protocol.envelope import Order, seal
from agents.protocol.rest import (
    NODE_DOMAIN,
    Challenge,
    Desired,
    JoinAnswer,
    JoinRequest,
    OutputAnswer,
    OutputRequest,
    StartAnswer,
    StartRequest,
    Ticket,
    TokenAnswer,
    TokenRequest,
)
from agents.protocol.specs import WorkloadSpec, encode_spec, sha256_of
from agents.protocol.workloads import WorkloadState
from tests.agents.node.waiting import wait_for

Answer = tuple[int, dict[str, str], bytes]


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Double:
    """What the node sees, and what it said."""

    def __init__(self) -> None:
        self.node = uuid4()
        self.clock_ahead = 0.0  # seconds
        self.node_key: Ed25519PublicKey | None = None
        self.key = Ed25519PrivateKey.generate()
        self.kid = "test"
        self.join_token = secrets.token_hex(8)
        self.token = secrets.token_hex(16)
        self.desired: list[str] = []
        self.specs: dict[UUID, bytes] = {}
        self.fences: dict[UUID, int] = {}
        self.bytes: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.devices: list[str] = []
        self.answer: dict[UUID, StartAnswer] = {}
        # what the node said
        self.starts: dict[UUID, list[StartRequest]] = defaultdict(list)
        self.hellos: list[link.Hello] = []
        self.heartbeats: list[link.Heartbeat] = []
        self.reports: dict[int, link.WorkloadReport] = {}
        self.faults: dict[int, link.DeviceReport] = {}
        self.logs: dict[UUID, bytearray] = defaultdict(bytearray)
        self.points: dict[UUID, list[link.Point]] = defaultdict(list)
        self.metric_offsets: dict[UUID, int] = defaultdict(int)
        self.unreadable: dict[UUID, int] = defaultdict(int)
        self.blocks: dict[int, link.Block] = {}
        self.requests: list[tuple[str, str]] = []
        # how it behaves
        self.acknowledges = True
        self.refuses: set[UUID] = set()
        self.hidden = 0  # so many calls reach only a proxy that knows nobody behind it
        self.cuts: dict[str, int] = {}  # a download of this digest breaks off after so many bytes
        self._links: set[Callable[[dict[str, Any]], Awaitable[None]]] = set()
        self._seq = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def public_key(self) -> str:
        raw = self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return base64.b64encode(raw).decode()

    # --- for tests --------------------------------------------------------------------------------

    def start(self) -> None:
        config = uvicorn.Config(
            self, port=self.port, log_level="error", lifespan="off", ws="websockets-sansio"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, "the double to listen")

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    def put(self, body: bytes) -> str:
        self.bytes[digest_of(body)] = body
        return digest_of(body)

    def want(self, spec: WorkloadSpec, *, fence: int = 7, workload: UUID | None = None) -> UUID:
        """Desire a workload of the node."""
        workload = workload or uuid4()
        self.specs[workload] = encode_spec(spec)
        self.fences[workload] = fence
        self.desired.append(self.envelope("start", workload))
        return workload

    def want_stop(self, workload: UUID, *, grace_seconds: float = 10.0) -> None:
        self.desired.append(self.envelope("stop", workload, grace_seconds=grace_seconds))
        self.tell_to_look()

    def envelope(self, op: Any, workload: UUID, **more: Any) -> str:
        self._seq += 1
        now = int(time.time())
        order = Order(
            **{
                "kid": self.kid,
                "aud": self.node,
                "seq": self._seq,
                "jti": uuid4(),
                "iat": now,
                "exp": now + 300,
                "op": op,
                "gang": uuid4(),
                "workload": workload,
                "fence": self.fences.get(workload, 7),
                "spec_sha256": sha256_of(self.specs.get(workload, b"")),
            }
            | more
        )
        return seal(order, self.key)

    def tell_to_look(self) -> None:
        frame = {"type": "websocket.send", "bytes": link.encode_frame(link.Look())}
        for send in list(self._links):
            asyncio.run_coroutine_threadsafe(send(frame), self._loop)

    def states(self, workload: UUID) -> list[WorkloadState]:
        return [r.state for _, r in sorted(self.reports.items()) if r.workload == workload]

    def final(self, workload: UUID, seconds: float = 60.0) -> link.WorkloadReport:
        """The last report of a workload, once there is one."""

        def look() -> link.WorkloadReport | None:
            reports = [r for r in self.reports.values() if r.workload == workload]
            return next((r for r in reports if r.state.is_final), None)

        return wait_for(look, "the workload's end", seconds)

    def log(self, workload: UUID) -> str:
        return self.logs[workload].decode()

    # --- the wire ---------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()
        if scope["type"] == "websocket":
            await self._link(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
        self.requests.append((scope["method"], scope["path"]))
        status, more, answer = self._http(scope["method"], scope["path"], headers, body)
        length = {"content-length": str(len(answer))} | more
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(k.encode(), v.encode()) for k, v in length.items()],
            }
        )
        await send({"type": "http.response.body", "body": answer})

    def _http(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path.startswith("/transfer/"):
            return self._transfer(method, path.rpartition("/")[2], headers, body)
        match path.removeprefix("/agent/v1/").split("/"):
            case ["join"]:
                return self._join(msgspec.json.decode(body, type=JoinRequest))
            case ["challenge"]:
                return ok(Challenge(nonce="nonce"))
            case ["token"]:
                return self._token(msgspec.json.decode(body, type=TokenRequest))
        if headers.get("authorization") != f"Bearer {self.token}":
            return problem(401, "unauthenticated")
        if self.hidden:
            self.hidden -= 1
            return 404, {"content-type": "text/html"}, b"<h1>Not Found</h1>"
        match path.removeprefix("/agent/v1/").split("/"):
            case ["desired"]:
                return ok(Desired(envelopes=self.desired))
            case ["workloads", id_, "spec"]:
                spec = self.specs.get(UUID(id_))
                return (200, {}, spec) if spec else problem(404, "not_found")
            case ["workloads", id_, "start"]:
                return self._start(UUID(id_), msgspec.json.decode(body, type=StartRequest))
            case ["workloads", _, "outputs"]:
                wanted = msgspec.json.decode(body, type=OutputRequest)
                if wanted.digest in self.bytes:
                    return ok(OutputAnswer(stored=True))
                self.uploads.setdefault(wanted.digest, bytearray())
                return ok(OutputAnswer(stored=False, upload_url=f"/transfer/{wanted.digest}"))
            case ["workloads", _, "outputs", "finish"]:
                digest = json.loads(body)["digest"]
                sent = bytes(self.uploads.pop(digest))
                assert digest_of(sent) == digest
                self.bytes[digest] = sent
                return 204, {}, b""
        return problem(404, "not_found")

    def _join(self, request: JoinRequest) -> Answer:
        if request.token != self.join_token:
            return problem(401, "join_token_refused")
        self._know(base64.b64decode(request.public_key))
        return ok(
            JoinAnswer(node=self.node, name=request.name, signing_keys={self.kid: self.public_key})
        )

    def _know(self, raw: bytes) -> None:
        self.node_key = Ed25519PublicKey.from_public_bytes(raw)

    def _token(self, request: TokenRequest) -> Answer:
        assert self.node_key is not None
        self.node_key.verify(
            base64.b64decode(request.signature), NODE_DOMAIN + request.nonce.encode()
        )
        return ok(
            TokenAnswer(
                token=self.token,
                expires_in=900,
                server_time=time.time() + self.clock_ahead,
                signing_keys={self.kid: self.public_key},
            )
        )

    def _start(self, workload: UUID, request: StartRequest) -> Answer:
        self.starts[workload].append(request)
        tickets = [
            Ticket(digest=digest, size=len(body), url=f"/transfer/{digest}")
            for digest, body in self.bytes.items()
        ]
        default = StartAnswer(
            answer="yes",
            run_token="run-token",
            project="default",
            tickets=tickets,
            devices=self.devices,
        )
        return ok(self.answer.get(workload, default))

    def _transfer(self, method: str, digest: str, headers: dict[str, str], body: bytes) -> Answer:
        if method == "GET":
            whole = self.bytes[digest]
            at = int(re.findall(r"bytes=(\d+)-", headers.get("range", "bytes=0-"))[0])
            self.requests.append(("RANGE", headers.get("range", "")))
            rest = whole[at:]
            if digest in self.cuts:  # fewer bytes than the length says: the line broke
                sent = rest[: self.cuts.pop(digest)]
                return 206 if at else 200, {"content-length": str(len(sent))}, sent
            return 206 if at else 200, {}, rest
        upload = self.uploads[digest]
        if method == "PATCH":
            if int(headers["upload-offset"]) != len(upload):
                return problem(409, "wrong_offset")
            upload.extend(body)
        return 204, {"upload-offset": str(len(upload))}, b""

    async def _link(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
        await receive()
        if headers.get("authorization") != f"Bearer {self.token}":
            await send({"type": "websocket.close", "code": 4401})
            return
        await send({"type": "websocket.accept"})
        self._links.add(send)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                answers = self._read(message["bytes"])
                if answers:
                    await send({"type": "websocket.send", "bytes": link.encode_frame(*answers)})
        finally:
            self._links.discard(send)

    def _read(self, frame: bytes) -> list[Any]:
        answers: list[Any] = []
        ack: dict[str, Any] = {"logs": [], "metrics": [], "refused": []}
        for item in link.decode_frame(frame):
            match item.tag:
                case "hello":
                    self.hellos.append(link.decode_body(item, link.Hello))
                    answers.append(
                        link.Welcome(
                            server_time=time.time(),
                            protocol_version=1,
                            reports_through=max([*self.reports, *self.faults], default=0),
                            blocks_through=max(self.blocks, default=0),
                        )
                    )
                case "heartbeat":
                    self.heartbeats.append(link.decode_body(item, link.Heartbeat))
                case "workload":
                    report = link.decode_body(item, link.WorkloadReport)
                    if report.workload in self.refuses:
                        ack["refused"].append(report.workload)
                    elif self.acknowledges:
                        self.reports.setdefault(report.seq, report)
                    if self.acknowledges:
                        ack["reports_through"] = report.seq
                case "device":
                    fault = link.decode_body(item, link.DeviceReport)
                    if self.acknowledges:
                        self.faults[fault.seq] = fault
                        ack["reports_through"] = fault.seq
                case "log":
                    chunk = link.decode_body(item, link.LogChunk)
                    if chunk.workload in self.refuses:
                        ack["refused"].append(chunk.workload)
                    elif self.acknowledges:
                        stored = self.logs[chunk.workload]
                        assert chunk.offset <= len(stored), "a gap in the log"
                        stored[chunk.offset : chunk.offset + len(chunk.data)] = chunk.data
                        ack["logs"].append(link.Offset(workload=chunk.workload, offset=len(stored)))
                case "metrics":
                    self._metrics(link.decode_body(item, link.MetricBatch), ack)
                case "block":
                    block = link.decode_body(item, link.Block)
                    if self.acknowledges:
                        self.blocks[block.seq] = block
                        ack["blocks_through"] = block.seq
        filled = {name: value for name, value in ack.items() if value}
        return [*answers, link.Ack(**filled)] if filled else answers

    def _metrics(self, batch: link.MetricBatch, ack: dict[str, Any]) -> None:
        if not self.acknowledges:
            return
        known = self.metric_offsets[batch.workload]
        assert batch.offset <= known, "a gap in the metrics"
        if batch.offset == known:
            self.points[batch.workload] += batch.points
            self.unreadable[batch.workload] += batch.unreadable_lines
            self.metric_offsets[batch.workload] = batch.end
        ack["metrics"].append(
            link.Offset(workload=batch.workload, offset=self.metric_offsets[batch.workload])
        )


def ok(body: Any) -> Answer:
    return 200, {"content-type": "application/json"}, msgspec.json.encode(body)


def problem(status: int, code: str) -> Answer:
    body = {"title": code, "status": status, "detail": code, "code": code}
    return status, {"content-type": "application/problem+json"}, json.dumps(body).encode()
