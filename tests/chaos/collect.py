"""Reads back, when a storm is over, what the platform says: by its API, and from its database."""

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.chaos.client import PROJECT
from tests.chaos.evidence import Evidence, Row
from tests.chaos.site import Site

PATIENCE_SECONDS = 60.0

# moments become Unix seconds, ids text
TABLES = {
    "jobs": "SELECT id::text, name, state, extract(epoch FROM ended_at)::float8 AS ended_at"
    " FROM jobs_job",
    "workloads": """
        SELECT w.id::text, w.state, w.cause, w.reason, w.exit_code, w.log_bytes, w.metrics_bytes,
            n.name AS node,
            extract(epoch FROM w.started_at)::float8 AS started,
            extract(epoch FROM w.ended_at)::float8 AS ended,
            -- its room is given back when its process is gone, before it is over
            extract(epoch FROM (SELECT min(e.at) FROM workloads_workloadevent e
                WHERE e.workload_id = w.id AND e.state IN
                ('finishing', 'succeeded', 'failed', 'stopped', 'lost')))::float8 AS freed
        FROM workloads_workload w LEFT JOIN fleet_node n ON n.id = w.node_id""",
    "events": "SELECT workload_id::text, state, extract(epoch FROM at)::float8 AS at, reason"
    " FROM workloads_workloadevent ORDER BY workload_id, id",
    "leases": """
        SELECT workload_id::text, device_id::text,
            extract(epoch FROM created_at)::float8 AS created_at,
            extract(epoch FROM ended_at)::float8 AS ended_at
        FROM workloads_lease""",
    "nodes": "SELECT id::text, name, reserved_cpu_millis, reserved_memory_bytes FROM fleet_node",
    "outbox": """
        SELECT id::text, op, workload_id::text, fence,
            extract(epoch FROM settled_at)::float8 AS settled_at
        FROM fleet_outbox""",
    "streams": 'SELECT workload_id::text, kind, "offset" FROM telemetry_stream',
    "audit": "SELECT seq, action, object_id::text FROM audit_entry ORDER BY seq",
}
UNFINISHED = {
    "jobs": "SELECT count(*) FROM jobs_job WHERE ended_at IS NULL",
    "gangs": "SELECT count(*) FROM workloads_gang WHERE ended_at IS NULL",
    "leases": "SELECT count(*) FROM workloads_lease WHERE ended_at IS NULL",
    "orders": "SELECT count(*) FROM fleet_outbox WHERE settled_at IS NULL",
}


def unfinished(database: "psycopg.Connection[Any]") -> dict[str, int]:
    found = {}
    for what, query in UNFINISHED.items():
        row = database.execute(query).fetchone()
        assert row is not None
        found[what] = int(row[0])
    return found


def read_back(site: Site, evidence: Evidence) -> None:
    """Complete the evidence with what the platform says now."""
    with site.postgres() as database:
        cursor = database.cursor(row_factory=dict_row)
        evidence.database = {
            name: cursor.execute(query).fetchall() for name, query in TABLES.items()
        }
    with site.api(timeout=30) as api:
        evidence.rest = {"jobs": [_job(site, api, job) for job in _all(api, f"{PROJECT}/jobs")]}


def _job(site: Site, api: httpx.Client, job: Row) -> Row:
    path = f"{PROJECT}/jobs/{job['id']}"
    return {
        "id": job["id"],
        "name": job["name"],
        "state": job["state"],
        "arguments": job["config"]["arguments"],
        "runs": sorted(
            (_run(site, api, path, run) for run in _all(api, f"{path}/runs")),
            key=lambda run: run["number"],
        ),
    }


def _run(site: Site, api: httpx.Client, path: str, run: Row) -> Row:
    number = {"run": run["number"]}
    series = _get(api, f"{path}/metrics", **number).json()["series"]
    outputs = {}
    if run["state"] == "succeeded":
        for file in _get(api, f"{path}/outputs", **number).json()["results"]:
            body = _get(api, str(httpx.URL(site.ready["url"]).join(file["url"]))).content
            outputs[file["path"]] = hashlib.sha256(body).hexdigest()
    kept = ("number", "state", "reason", "cause", "exit_code", "workload", "ended_at")
    return {name: run[name] for name in kept} | {
        "node": run["node"] and run["node"]["name"],
        "log": _get(api, f"{path}/log/raw", **number).content.decode(),
        "points": series[0]["points"] if series else [],
        "outputs": outputs,
    }


def _all(api: httpx.Client, path: str) -> Iterator[Row]:
    asked: dict[str, Any] = {"limit": 200}
    while True:
        page = _get(api, path, **asked).json()
        yield from page["results"]
        if not (cursor := page.get("next")):
            return
        asked = {"cursor": cursor, "limit": 200}


def _get(api: httpx.Client, path: str, **params: Any) -> httpx.Response:
    """An answer; the storm is over, so that only a moment's trouble is forgiven."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = api.get(path, params=params or None)
            if answer.status_code < 500 or time.monotonic() > deadline:
                answer.raise_for_status()
                return answer
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        threading.Event().wait(0.2)
