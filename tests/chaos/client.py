"""The people of a storm: they submit, look and read, and keep every request with its answer."""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.chaos import payload
from tests.chaos.site import Site

MEMORY_BYTES = 64 * 2**20
RETRIES = 20
ALIVE = 6  # jobs that are wanted at work at any time
PAUSE_SECONDS = 0.3
LOOK_SECONDS = 0.7
READ_SECONDS = 0.5
PATIENCE_SECONDS = 120.0
PROJECT = "/projects/default"
OVER = ("succeeded", "failed", "cancelled")


class History:
    """Every request and its answer, as JSON lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._lock = threading.Lock()
        self.rows: list[dict[str, Any]] = []

    def add(self, **row: Any) -> None:
        with self._lock:
            self.rows.append(row)
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Client:
    """Keeps jobs at work until it is told to stop."""

    def __init__(
        self, site: Site, history: History, *, seed: int, on_submit: Callable[[str], None]
    ) -> None:
        self._site, self._history, self._seed = site, history, seed
        self._on_submit = on_submit
        self._stopping = threading.Event()
        self._submitting = threading.Event()
        self._submitting.set()
        self._lock = threading.Lock()
        self._next = 0
        self.accepted: dict[str, str] = {}  # key -> job
        self.states: dict[str, str] = {}  # of jobs, as last seen
        self._code = ""
        self._threads = [
            threading.Thread(
                target=self._persistently, args=[step], name=step.__name__, daemon=True
            )
            for step in (self._submit_next, self._submit_next, self._look, self._read)
        ]

    def start(self) -> None:
        self._code = self._upload()
        for thread in self._threads:
            thread.start()

    def stop_submitting(self) -> None:
        self._submitting.clear()

    def stop(self) -> None:
        self._submitting.clear()
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def alive(self) -> int:
        """Accepted jobs that were not seen over."""
        return sum(self.states.get(job) not in OVER for job in list(self.accepted.values()))

    # --- the steps, each in a thread of its own --------------------------------------------------

    def _persistently(self, step: Callable[[httpx.Client], None]) -> None:
        with self._site.api() as api:
            while not self._stopping.is_set():
                step(api)

    def _submit_next(self, api: httpx.Client) -> None:
        if not self._submitting.is_set() or self.alive() >= ALIVE:
            self._stopping.wait(0.05)
            return
        with self._lock:
            number = self._next
            self._next += 1
        key = f"s{self._seed}-{number:05d}"
        dice = random.Random(key)
        body = self.body(key, dice)
        self._on_submit(key)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = self._call(api, "POST", f"{PROJECT}/jobs", op="submit", key=key, body=body)
            if answer is not None and answer.status_code < 500:
                break
            self._stopping.wait(PAUSE_SECONDS)
        if dice.random() < 0.1:  # whoever heard nothing asks again, also when it was taken
            self._call(api, "POST", f"{PROJECT}/jobs", op="submit", key=key, body=body)
        if dice.random() < 0.05:
            other = body | {"priority": 7}
            self._call(api, "POST", f"{PROJECT}/jobs", op="reuse", key=key, body=other)

    def body(self, key: str, dice: random.Random) -> dict[str, Any]:
        """A tiny job whose every trace follows from its key."""
        seconds, lines, points = dice.uniform(1, 3), dice.randrange(5, 60), dice.randrange(0, 40)
        return {
            "kind": "script",
            "name": key,
            "code": self._code,
            "entrypoint": "payload.py",
            "arguments": [
                *(str(self._site.oracle.folder), key),
                *(f"{seconds:.2f}", str(lines), str(points)),
            ],
            "resources": {
                "cpu_millis": 100,
                "memory_bytes": MEMORY_BYTES,
                "device_count": int(dice.random() < 0.3),
            },
            "max_retries": RETRIES,
            "grace_seconds": 2,
        }

    def _look(self, api: httpx.Client) -> None:
        """What a page of jobs shows; those that are not on it are asked for one by one."""
        answer = self._call(api, "GET", f"{PROJECT}/jobs?limit=20", op="list")
        shown = self._take(answer) if answer is not None else set()
        if answer is not None and answer.status_code == 200:
            for job in list(self.accepted.values()):
                if job not in shown and self.states.get(job) not in OVER:
                    self._take(self._call(api, "GET", f"{PROJECT}/jobs/{job}", op="get", job=job))
        self._stopping.wait(LOOK_SECONDS)

    def _take(self, answer: httpx.Response | None) -> set[str]:
        if answer is None or answer.status_code != 200:
            return set()
        body = answer.json()
        states = {job["id"]: job["state"] for job in body.get("results", [body])}
        self.states |= states
        return set(states)

    def _read(self, api: httpx.Client) -> None:
        """Somebody reads along in a log."""
        running = [job for job, state in list(self.states.items()) if state == "running"]
        for job in running[:2]:
            answer = self._call(api, "GET", f"{PROJECT}/jobs/{job}/runs", op="runs", job=job)
            if answer is not None and answer.status_code == 200:
                newest = max(run["number"] for run in answer.json()["results"])
                self.read_log(api, job, newest)
        self._stopping.wait(READ_SECONDS)

    # --- calls ------------------------------------------------------------------------------------

    def _call(
        self,
        api: httpx.Client,
        method: str,
        path: str,
        *,
        op: str,
        key: str | None = None,
        body: Any = None,
        **known: Any,
    ) -> httpx.Response | None:
        """One request, kept with what came of it; None if nothing came."""
        headers = {"Idempotency-Key": key} if key else {}
        row: dict[str, Any] = {"op": op, "method": method, "path": path, "sent_at": time.time()}
        row |= known | ({"key": key} if key else {})
        began = time.monotonic()
        try:
            answer = api.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            self._history.add(
                **row,
                status=None,
                error=str(error) or type(error).__name__,
                seconds=round(time.monotonic() - began, 4),
            )
            return None
        row |= {"status": answer.status_code, "seconds": round(time.monotonic() - began, 4)}
        row |= self._learnt(op, key, answer) if answer.status_code < 300 else {}
        if answer.status_code >= 400:
            row["error"] = answer.text[:300]
        self._history.add(**row)
        return answer

    def _learnt(self, op: str, key: str | None, answer: httpx.Response) -> dict[str, Any]:
        """What of an answer is worth keeping."""
        match op:
            case "submit":
                assert key is not None
                job = str(answer.json()["id"])
                self.accepted.setdefault(key, job)
                return {"job": job}
            case "list":
                return {"states": {job["id"]: job["state"] for job in answer.json()["results"]}}
            case "get":
                body = answer.json()
                return {"states": {body["id"]: body["state"]}}
        return {}

    def read_log(self, api: httpx.Client, job: str, run: int) -> None:
        """A log as far as it is there: what was read once has to stay."""
        path = f"{PROJECT}/jobs/{job}/log"
        began = time.monotonic()
        sent_at = time.time()
        try:
            answer = api.get(path, params={"run": run})
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            read = answer.json()["text"].encode()
            self._history.add(
                op="log",
                method="GET",
                path=path,
                sent_at=sent_at,
                seconds=round(time.monotonic() - began, 4),
                status=200,
                job=job,
                run=run,
                size=len(read),
                sha256=hashlib.sha256(read).hexdigest(),
            )

    def _upload(self) -> str:
        source = Path(payload.__file__).read_bytes()
        with self._site.api() as api:
            made = api.post(
                f"{PROJECT}/uploads", json={"filename": "payload.py", "size": len(source)}
            )
            made.raise_for_status()
            upload = made.json()
            url = httpx.URL(self._site.ready["url"]).join(upload["url"])
            api.patch(url, content=source, headers={"Upload-Offset": "0"}).raise_for_status()
            api.post(f"{PROJECT}/uploads/{upload['id']}/finish").raise_for_status()
        return str(upload["id"])
