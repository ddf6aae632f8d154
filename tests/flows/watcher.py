"""A page without a screen: it holds what it was told, and asks only for what an event says changed.

It has no slow twin: nothing is ever asked again by the clock. What it holds can be right only if
every change was told.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 20.0
# what a read computes from the time of reading, or what changes without a change of state
VOLATILE = {"time_left_seconds", "last_contact_at", "url", "probed_at", "last_used_at"}

Body = dict[str, Any]


@dataclass
class Stream:
    """The log and the metric points of a workload, as a page holds them."""

    job: str
    run: int
    log: str = ""
    log_through: int = 0
    points: dict[str, list[list[Any]]] = field(default_factory=dict)
    points_through: int = 0


class Watcher:
    """Watches a project over `/live`; ``check`` compares what it holds with a fresh read."""

    def __init__(self, url: str, token: str, project: str = "default") -> None:
        self._url, self._token = url, token
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        self._path = f"/projects/{project}"
        self._topics: dict[str, int | None] = {f"project.{self._get(self._path)['id']}": None}
        self._topics["fleet"] = None
        self._socket: ClientConnection | None = None
        self._stopping = False
        self._placed = threading.Event()
        self._confirmed: set[str] = set()
        self.jobs: dict[str, Body] = {}
        self.nodes: dict[str, Body] = {}
        self.endpoints: dict[str, Body] = {}
        self.streams: dict[str, Stream] = {}
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        assert self._placed.wait(PATIENCE_SECONDS), f"no topic was confirmed: {self.failure}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        if self._socket is not None:
            self._socket.close()
        self._thread.join(PATIENCE_SECONDS)
        self._http.close()

    def check(self) -> None:
        """What was pieced together is what a fresh read gives; events may still be on their way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (wrong := self._differences()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.failure is None, self.failure
        assert not wrong, "the live view differs from a fresh read:\n" + "\n".join(wrong)

    # --- comparing --------------------------------------------------------------------------------

    def _differences(self) -> list[str]:
        with httpx.Client(
            base_url=self._http.base_url, headers=self._http.headers, timeout=30
        ) as http:
            fresh = _Reader(http, self._path)
            wrong = [
                *_differ("job", self.jobs, fresh.jobs()),
                *_differ("node", self.nodes, fresh.nodes()),
                *_differ("endpoint", self.endpoints, fresh.endpoints()),
            ]
            for workload, stream in dict(self.streams).items():
                told = fresh.stream(stream.job, stream.run)
                if told != stream:
                    wrong.append(f"stream of workload {workload}: {stream!r:.400} != {told!r:.400}")
        return wrong

    # --- hearing ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._listen()
            except (ConnectionClosed, InvalidStatus, OSError, httpx.TransportError):
                time.sleep(0.1)  # as a page does: it comes back, and says how far it had heard
            except Exception as error:  # noqa: BLE001  # told by `check`, in the test's thread
                self.failure = error
                self._placed.set()
                return

    def _listen(self) -> None:
        with connect(
            self._url.replace("http", "ws", 1) + "/live",
            additional_headers={"Authorization": f"Bearer {self._token}"},
            open_timeout=10,
        ) as socket:
            self._socket = socket
            for topic, seq in list(self._topics.items()):
                self._say({"watch": topic, "since": seq})
            for message in socket:
                self._take(json.loads(message))

    def _say(self, body: Body) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps(body))

    def _watch(self, topic: str) -> None:
        if topic not in self._topics:
            self._topics[topic] = None
            self._say({"watch": topic, "since": None})

    def _take(self, frame: Body) -> None:
        if "watching" in frame:
            topic = frame["watching"]
            if frame["refetch"] or self._topics.get(topic) is None:
                self._topics[topic] = frame["seq"]
                self._fetch(topic)
            self._confirmed.add(topic)
            if len(self._confirmed) >= 2:
                self._placed.set()
        elif "topic" in frame:
            topic, seq = frame["topic"], frame["seq"]
            known = self._topics.get(topic)
            if known is not None and seq <= known:
                return
            self._topics[topic] = seq
            self._hear(topic, frame["body"])
            if known is not None and seq > known + 1:
                self._fetch(topic)

    def _hear(self, topic: str, body: Body) -> None:
        match body:
            case {"event": "job.moved", "job_id": job}:
                self._keep_job(self._get(f"{self._path}/jobs/{job}"))
            case {"event": "node.moved", "node_id": node}:
                self._forgettable(self.nodes, node, lambda: self._get(f"/nodes/{node}"))
            case {"event": "endpoint.moved", "endpoint_id": endpoint}:
                self._forgettable(
                    self.endpoints,
                    endpoint,
                    lambda: self._get(f"{self._path}/endpoints/{endpoint}"),
                )
            case {"event": "log.grew", "workload_id": workload}:
                self._read_log(self.streams[workload])
            case {"event": "points", "workload_id": workload}:
                self._take_points(self.streams[workload], body)

    def _fetch(self, topic: str) -> None:
        """Something may have been missed on this topic: ask for how things are."""
        kind, _, id = topic.partition(".")
        reader = _Reader(self._http, self._path)
        match kind:
            case "project":
                for job in reader.jobs().values():
                    self._keep_job(job)
                self.endpoints = reader.endpoints()
            case "fleet":
                self.nodes = reader.nodes()
            case "workload":
                stream = self.streams[id]
                self.streams[id] = reader.stream(stream.job, stream.run)

    def _keep_job(self, job: Body) -> None:
        self.jobs[job["id"]] = job
        run = job["run"]
        if run and run["workload"] and run["workload"] not in self.streams:
            self.streams[run["workload"]] = Stream(job["id"], run["number"])
            self._watch(f"workload.{run['workload']}")

    def _forgettable(self, held: dict[str, Body], id: str, read: Callable[[], Body]) -> None:
        try:
            held[id] = read()
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            held.pop(id, None)

    def _read_log(self, stream: Stream) -> None:
        _extend_log(self._http, self._path, stream)

    def _take_points(self, stream: Stream, body: Body) -> None:
        if body["offset"] < stream.points_through:
            return
        if body["offset"] > stream.points_through:
            fresh = _Reader(self._http, self._path).stream(stream.job, stream.run)
            stream.points, stream.points_through = fresh.points, fresh.points_through
            return
        for name, *point in body["points"]:
            stream.points.setdefault(name, []).append(point)
        stream.points_through = body["end"]

    def _get(self, path: str) -> Any:
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()


class _Reader:
    """Fresh reads of everything that a watcher holds."""

    def __init__(self, http: httpx.Client, path: str) -> None:
        self._http, self._path = http, path

    def jobs(self) -> dict[str, Body]:
        return {
            row["id"]: self._get(f"{self._path}/jobs/{row['id']}")
            for row in self._all(f"{self._path}/jobs")
        }

    def nodes(self) -> dict[str, Body]:
        return {row["id"]: row for row in self._all("/nodes")}

    def endpoints(self) -> dict[str, Body]:
        return {row["id"]: row for row in self._all(f"{self._path}/endpoints")}

    def stream(self, job: str, run: int) -> Stream:
        stream = Stream(job, run)
        _extend_log(self._http, self._path, stream)
        metrics = self._get(f"{self._path}/jobs/{job}/metrics?run={run}")
        stream.points = {series["name"]: series["points"] for series in metrics["series"]}
        stream.points_through = metrics["through"]
        return stream

    def _all(self, path: str) -> list[Body]:
        rows: list[Body] = []
        address: str | None = f"{path}?limit=200"
        while address:
            page = self._get(address)
            rows += page["results"]
            address = page["next"]
        return rows

    def _get(self, path: str) -> Any:
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()


def _extend_log(http: httpx.Client, path: str, stream: Stream) -> None:
    """Read a log on from where the stream ends."""
    while True:
        answer = http.get(
            f"{path}/jobs/{stream.job}/log",
            params={"run": stream.run, "offset": stream.log_through, "limit": 1024 * 1024},
        )
        answer.raise_for_status()
        piece = answer.json()
        if piece["next_offset"] == stream.log_through:
            return
        stream.log += piece["text"]
        stream.log_through = piece["next_offset"]


def _differ(what: str, held: dict[str, Body], fresh: dict[str, Body]) -> list[str]:
    wrong = [f"{what} {id} is held and gone" for id in held.keys() - fresh.keys()]
    wrong += [f"{what} {id} was never told" for id in fresh.keys() - held.keys()]
    for id in held.keys() & fresh.keys():
        one, other = _steady(held[id]), _steady(fresh[id])
        wrong += [
            f"{what} {id}, {name}: {one.get(name)!r:.300} is held, {value!r:.300} is true"
            for name, value in other.items()
            if one.get(name) != value
        ]
    return wrong


def _steady(body: Any) -> Any:
    """Without what changes by itself."""
    match body:
        case dict():
            return {name: _steady(value) for name, value in body.items() if name not in VOLATILE}
        case list():
            return [_steady(value) for value in body]
    return body
