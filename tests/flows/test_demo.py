"""The road of the brief: digits in, a model out, worth what was registered, and it answers."""

import json
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.flows.conftest import ROOT, Installation

pytestmark = [pytest.mark.xdist_group("installation"), pytest.mark.timeout(600)]

DIGITS = ROOT / "examples/digits/digits.zip"


@pytest.fixture(scope="module")
def demo(installation: Installation) -> dict[str, Any]:
    return dict(json.loads(installation.cli("demo", "--json").stdout))


class TestDemo:
    def test_trains_a_model_that_is_as_good_outside(
        self, installation: Installation, demo: dict[str, Any], tmp_path: Path
    ) -> None:
        assert demo["test_accuracy"] >= 0.97
        installation.cli("models", "download", demo["model_version"], "--to", str(tmp_path))
        outside = subprocess.run(
            [sys.executable, ROOT / "examples/digits/evaluate.py", tmp_path, DIGITS],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(outside.stdout) == {"accuracy": demo["test_accuracy"], "samples": 2000}

    def test_predicts_what_was_held_out(self, demo: dict[str, Any]) -> None:
        predictions = demo["predictions"]

        assert len(predictions) >= 10
        right = sum(one["label"] == one["predicted"] for one in predictions)
        assert right >= 0.9 * len(predictions)

    def test_answers_at_its_address_to_its_key_alone(self, demo: dict[str, Any]) -> None:
        headers = {"Content-Type": "image/png"}

        nobody = httpx.post(demo["endpoint"], content=picture(), headers=headers)
        answer = httpx.post(demo["endpoint"], content=picture(), headers=headers | key_of(demo))

        assert nobody.status_code == 401
        assert answer.json()["model"] == demo["model_version"]
        assert answer.json()["predictions"][0]["label"] == "7"

    def test_is_as_good_as_promised_when_measured_from_outside(self, demo: dict[str, Any]) -> None:
        script = ROOT / "examples/digits/call.py"
        outside = subprocess.run(
            [sys.executable, "-I", script, demo["endpoint"], demo["key"], DIGITS, "500"],
            capture_output=True,
            text=True,
            check=True,
        )
        measured = json.loads(outside.stdout)

        assert measured["calls"] == 500
        assert measured["accuracy"] >= 0.97

    def test_leaves_room_for_another_training(
        self, installation: Installation, demo: dict[str, Any]
    ) -> None:
        submitted = installation.post(
            "/projects/default/jobs",
            {
                "kind": "train",
                "recipe": "image_classification",
                "dataset": "digits",
                "parameters": {"epochs": 1},
                "model": "second",
            },
        )
        assert submitted.status_code == 201, submitted.text

        installation.wait_until(submitted.json()["id"], "succeeded")

        endpoint = installation.get("/projects/default/endpoints/digits")
        assert (endpoint["state"], endpoint["replicas_ready"]) == ("ready", 1)


class TestServing:
    def test_no_call_fails_while_a_replica_is_killed_and_a_deployment_rolled_out(
        self, installation: Installation, demo: dict[str, Any]
    ) -> None:
        installation.cli("endpoints", "scale", "digits", "2", "--wait")
        with calling(demo) as answers:
            replica_process(installation).kill()
            at_least(answers, 20)
            installation.cli(
                "endpoints", "deploy", "digits", "digits", "--max-batch", "8", "--wait"
            )
            at_least(answers, len(answers) + 20)

        assert Counter(answers) == {200: len(answers)}
        path = "/projects/default/endpoints/digits"
        shown = installation.get(path)
        assert (shown["state"], shown["replicas_ready"], shown["previous"]) == ("ready", 2, None)
        ended = [r for r in installation.get(f"{path}/replicas")["results"] if r["ended_at"]]
        assert "SIGKILL" in " ".join(r["reason"]["text"] for r in ended)
        installation.cli("endpoints", "scale", "digits", "0", "--wait")


def picture() -> bytes:
    with zipfile.ZipFile(DIGITS) as archive:
        return archive.read("test/7/0000.png")


def key_of(demo: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {demo['key']}"}


def replica_process(installation: Installation) -> psutil.Process:
    """One of the runners that serve."""
    for each in psutil.process_iter(["cmdline"]):
        words = " ".join(each.info["cmdline"] or ())
        if "agents/runners/__main__.py" in words and str(installation.state) in words:
            return each
    raise AssertionError("no replica runs")


@contextmanager
def calling(demo: dict[str, Any]) -> Iterator[list[int]]:
    """Somebody calls all the time; what they are answered."""
    answers: list[int] = []
    enough = threading.Event()

    def call() -> None:
        headers = {"Content-Type": "image/png"} | key_of(demo)
        with httpx.Client(headers=headers, timeout=60) as client:
            while not enough.is_set():
                answer = client.post(demo["endpoint"], content=picture())
                answers.append(answer.status_code)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield answers
    finally:
        enough.set()
        thread.join()


def at_least(answers: list[int], count: int) -> None:
    deadline = time.monotonic() + 60
    while len(answers) < count:
        assert time.monotonic() < deadline, f"only {len(answers)} calls were answered"
        time.sleep(0.05)
