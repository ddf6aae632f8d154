"""`make screens`: every page of the console, in both themes, languages and widths, looked at.

Starts an installation, fills it with what a team would have after a morning, and hands its
addresses to frontend/test/screens. The pictures and ``findings.json`` are left in the folder named.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.test_console import FRONTEND, PLAYWRIGHT, _needed
from tests.flows.conftest import Installation, wait_for
from tests.flows.installation import Up
from tests.servers import free_port

CRASHES = """
import json

def load(path):
    with open(path) as file:
        return json.load(file)

print("reading the configuration")
load("/data/config.json")
"""
TALKS = """
import json, math, os, time

with open(os.environ["DATAHALL_METRICS_FILE"], "a", buffering=1) as metrics:
    for step in range(2000):
        loss = 2 * math.exp(-step / 300) + 0.1
        line = {"step": step, "metrics": {"train/loss": loss, "progress": step / 2000}}
        metrics.write(json.dumps(line) + "\\n")
        print(f"step {step:5d}  loss {loss:.4f}", flush=True)
        time.sleep(0.5)
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=Path, default=FRONTEND / "test-results" / "screens")
    parser.add_argument("--only", default="", help="names of pages, separated by commas")
    parser.add_argument("--gpus", type=int, default=4, help="simulated")
    wanted = parser.parse_args()
    node, chromium = _needed()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        up = Up(state, free_port(), "--simulate-gpus", str(wanted.gpus))
        try:
            ready = up.wait_until_ready()
            installation = Installation(state, ready["url"], ready["token"])
            pages = Path(folder) / "pages.json"
            pages.write_text(json.dumps(fill(installation)))
            wanted.to.mkdir(parents=True, exist_ok=True)
            return subprocess.run(
                [node, str(PLAYWRIGHT), "test", "--config", "test/screens/screens.config.ts"],
                cwd=FRONTEND,
                env=dict(os.environ)
                | {
                    "DATAHALL_URL": installation.url,
                    "DATAHALL_SIGN_IN_URL": ready["sign_in_url"],
                    "DATAHALL_CHROMIUM": chromium,
                    "DATAHALL_SCREENS": str(wanted.to.absolute()),
                    "DATAHALL_PAGES": str(pages),
                }
                | ({"DATAHALL_ONLY": wanted.only} if wanted.only else {}),
                check=False,
            ).returncode
        finally:
            up.stop()


def fill(installation: Installation) -> dict[str, str]:
    """A morning's work; the address of every page by name."""
    demo = json.loads(installation.cli("demo", "--json").stdout)
    evaluated = _post(
        installation,
        "/projects/default/jobs",
        {"kind": "evaluate", "model": demo["model_version"], "dataset": "digits"},
    )
    installation.wait_until(evaluated["id"], "succeeded")
    failed = installation.submit_script(CRASHES, name="read the configuration")
    installation.wait_until(failed, "failed")
    running = installation.submit_script(TALKS, name="long training")
    wait_for(lambda: "step    20" in installation.log(running), "the long job to run")
    waiting = installation.submit_script(
        "pass", name="wide training", resources={"device_count": 4, "cpu_millis": 1500}
    )
    project = "/projects/default"
    trained = next(
        job for job in installation.get(f"{project}/jobs")["results"] if job["kind"] == "train"
    )
    endpoint = installation.get(f"{project}/endpoints")["results"][0]["name"]
    return {
        "home": project,
        "jobs": f"{project}/jobs",
        "new-job": f"{project}/jobs/new?recipe=image_classification",
        "job": f"{project}/jobs/{trained['id']}",
        "job-failed": f"{project}/jobs/{failed}?tab=logs",
        "job-running": f"{project}/jobs/{running}",
        "job-waiting": f"{project}/jobs/{waiting}",
        "job-outputs": f"{project}/jobs/{trained['id']}?tab=outputs",
        "job-events": f"{project}/jobs/{trained['id']}?tab=events",
        "job-config": f"{project}/jobs/{trained['id']}?tab=config",
        "datasets": f"{project}/datasets",
        "dataset": f"{project}/datasets/digits",
        "models": f"{project}/models",
        "model": f"{project}/models/digits",
        "endpoints": f"{project}/endpoints",
        "endpoint": f"{project}/endpoints/{endpoint}",
        "endpoint-playground": f"{project}/endpoints/{endpoint}?tab=playground",
        "members": f"{project}/members",
        "audit": f"{project}/audit",
        "fleet": "/fleet",
        "node": f"/nodes/{installation.node()['id']}",
        "add-node": "/nodes/add",
        "account": "/account",
        "users": "/users",
    }


def _post(installation: Installation, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = installation.post(path, body)
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        raise SystemExit(f"{path}: {answer.status_code} {answer.text}")
    return dict(answer.json())


if __name__ == "__main__":
    sys.exit(main())
