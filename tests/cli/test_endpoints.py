"""Endpoints from the command line, against answers of the API."""

import json
import zipfile
from typing import Any

import click
import pytest

from controlplane.cli.commands import demo
from tests.cli.plane import Answer, Asked, plane
from tests.cli.test_commands import run

DEPLOYMENT = {
    "number": 2,
    "version": {"id": "v", "model": "digits", "number": 3},
    "resources": {"cpu_millis": 500, "memory_bytes": 1 << 30, "device_count": 0},
    "max_batch": 64,
    "given_up_at": None,
}
ENDPOINT: dict[str, Any] = {
    "id": "e1",
    "name": "digits",
    "url": "",
    "state": "ready",
    "reason": None,
    "replicas_wanted": 1,
    "replicas_ready": 1,
    "deployment": DEPLOYMENT,
    "previous": None,
    "max_queue": 1024,
    "timeout_seconds": 30.0,
    "created_at": "2026-11-23T10:00:00Z",
    "created_by": "ada",
}
BASE = "/api/v1/projects/default/endpoints"
WAITING = ENDPOINT | {"state": "starting", "reason": {"text": "Needs 1 CPU."}}


class TestCreate:
    def test_sends_what_is_given_and_nothing_else(self):
        with plane(lambda asked: Answer(201, ENDPOINT | {"url": "http://u"})) as server:
            result = run(
                *("endpoints", "create", "digits", "digits@3", "--replicas", "2"),
                *("--cpus", "0.5", "--timeout", "3"),
                url=server.url,
            )

        assert (result.exit_code, result.stdout) == (0, "digits ready http://u\n")
        assert server.asked[0].path == BASE
        assert server.asked[0].json == {
            "name": "digits",
            "model": "digits@3",
            "replicas": 2,
            "resources": {"cpu_millis": 500},
            "timeout_seconds": 3.0,
        }

    def test_waits_until_it_is_ready(self):
        left = [WAITING, WAITING]

        def answer(asked: Asked) -> Answer:
            return Answer(201 if asked.method == "POST" else 200, left.pop() if left else ENDPOINT)

        with plane(answer) as server:
            result = run("endpoints", "create", "d", "digits", "--wait", "--json", url=server.url)

        assert json.loads(result.stdout)["state"] == "ready"
        assert result.stderr == "starting: Needs 1 CPU.\n"
        assert server.asked[-1].path == f"{BASE}/e1"

    def test_fails_with_the_reason_if_it_is_given_up(self):
        given_up = ENDPOINT | {
            "state": "failed",
            "reason": {"text": "The weights do not match."},
            "deployment": DEPLOYMENT | {"given_up_at": "2026-11-23T10:00:00Z"},
        }
        with plane(lambda asked: Answer(200, given_up)) as server:
            result = run("endpoints", "deploy", "digits", "digits@3", "--wait", url=server.url)

        assert result.exit_code == 1
        assert result.stderr == "Error: digits@3 was given up: The weights do not match.\n"


class TestChange:
    @pytest.mark.parametrize(
        ("words", "path", "body"),
        [
            (["scale", "digits", "0"], "scale", {"replicas": 0}),
            (["deploy", "digits", "digits@4"], "deploy", {"model": "digits@4"}),
            (["rollback", "digits"], "rollback", {}),
            (["rollback", "digits", "--to", "1"], "rollback", {"deployment": 1}),
        ],
    )
    def test_is_one_call(self, words, path, body):
        with plane(lambda asked: Answer(200, ENDPOINT)) as server:
            result = run("endpoints", *words, url=server.url)

        assert result.exit_code == 0
        (asked,) = server.asked
        assert (asked.path, asked.json) == (f"{BASE}/digits/{path}", body)

    def test_deletes_only_when_told_to(self):
        with plane(lambda asked: Answer(200, ENDPOINT)) as server:
            assert run("endpoints", "delete", "digits", url=server.url).exit_code == 1
            assert [asked.method for asked in server.asked] == ["GET"]

            assert run("endpoints", "delete", "digits", "--yes", url=server.url).exit_code == 0


class TestRead:
    def test_lists_with_why(self):
        with plane(lambda asked: Answer(200, {"results": [WAITING], "next": None})) as server:
            result = run("endpoints", "list", url=server.url)

        assert "digits@3" in result.stdout
        assert "1 of 1" in result.stdout
        assert "Needs 1 CPU." in result.stdout

    def test_shows_replicas(self):
        replica = {
            "number": 4,
            "deployment": 2,
            "state": "ready",
            "node": {"name": "gpu-1"},
            "created_at": "2026-11-23T10:00:00Z",
            "reason": None,
        }

        def answer(asked: Asked) -> Answer:
            if asked.path.endswith("/replicas"):
                return Answer(200, {"results": [replica], "next": None})
            return Answer(200, ENDPOINT)

        with plane(answer) as server:
            result = run("endpoints", "show", "digits", url=server.url)

        assert "gpu-1" in result.stdout
        assert "0.5 cores, 1.0 GiB, 0 GPUs" in result.stdout


class TestPredict:
    def ask(self, tmp_path, name: str, *words: str, status: int = 200, body: Any = None):
        file = tmp_path / name
        file.write_bytes(b"bytes")
        answered = body or {"model": "digits@3", "predictions": [{"label": "7", "score": 0.99}]}

        def answer(asked: Asked) -> Answer:
            if asked.method == "POST":
                return Answer(status, answered)
            return Answer(200, ENDPOINT | {"url": f"{server.url}/v1/endpoints/e1/predict"})

        with plane(answer) as server:
            return run("endpoints", "predict", "digits", str(file), *words, url=server.url), server

    def test_sends_a_picture_as_it_is_with_ones_own_token(self, tmp_path):
        result, server = self.ask(tmp_path, "seven.PNG")

        assert result.stdout.split() == ["LABEL", "SCORE", "7", "0.9900"]
        sent = server.asked[-1]
        assert (sent.path, sent.body) == ("/v1/endpoints/e1/predict", b"bytes")
        assert sent.headers["content-type"] == "image/png"
        assert sent.headers["authorization"] == "Bearer dh_token"

    def test_sends_json_with_a_key(self, tmp_path):
        result, server = self.ask(
            tmp_path, "in.json", "--key", "dhk_x", "--json", body={"predictions": [1.5]}
        )

        assert json.loads(result.stdout) == {"predictions": [1.5]}
        assert server.asked[-1].headers["content-type"] == "application/json"
        assert server.asked[-1].headers["authorization"] == "Bearer dhk_x"

    def test_says_what_the_endpoint_says(self, tmp_path):
        result, _ = self.ask(tmp_path, "a.png", status=422, body={"detail": "It is no picture."})

        assert (result.exit_code, result.stderr) == (1, "Error: It is no picture.\n")

    def test_takes_nothing_else(self, tmp_path):
        result, server = self.ask(tmp_path, "a.csv")

        assert "neither a picture nor .json" in result.stderr
        assert server.asked == []


class TestKeys:
    def test_are_made_and_printed_alone(self):
        with plane(lambda asked: Answer(201, {"key": "dhk_secret"})) as server:
            result = run(
                *("endpoints", "keys", "create", "digits", "shop", "--per-minute", "60"),
                url=server.url,
            )

        assert result.stdout == "dhk_secret\n"
        assert server.asked[0].json == {
            "name": "shop",
            "expires_in_days": 90,
            "requests_per_minute": 60,
        }

    def test_are_revoked(self):
        with plane(lambda asked: Answer(200, b"")) as server:
            result = run("endpoints", "keys", "revoke", "digits", "k1", url=server.url)

        assert result.exit_code == 0
        assert (server.asked[0].method, server.asked[0].path) == (
            "DELETE",
            f"{BASE}/digits/keys/k1",
        )


class TestEvaluate:
    def test_submits_an_evaluation(self):
        with plane(lambda asked: Answer(201, {"id": "j1"})) as server:
            result = run("jobs", "evaluate", "digits@1", "digits", url=server.url)

        assert (result.exit_code, result.stdout) == (0, "j1\n")
        assert server.asked[0].json == {
            "kind": "evaluate",
            "model": "digits@1",
            "dataset": "digits",
        }


class TestDemo:
    def packed(self, tmp_path, *names: str):
        file = tmp_path / "digits.zip"
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, name.encode())
        return file

    def test_asks_about_as_many_of_each_class(self, tmp_path):
        names = [f"{part}/{label}/{n}.png" for part in ("train", "test") for label in "ab"
                 for n in range(9)]  # fmt: skip

        asked = list(demo._held_out(self.packed(tmp_path, *names)))

        assert [label for label, _ in asked] == ["a"] * 5 + ["b"] * 5
        assert all(picture.startswith(b"test/") for _, picture in asked)

    def test_says_that_nothing_was_held_out(self, tmp_path):
        with pytest.raises(click.ClickException, match="no pictures in test/"):
            list(demo._held_out(self.packed(tmp_path, "train/a/1.png")))

    def test_deploys_to_the_endpoint_that_is_there(self):
        with plane(lambda asked: Answer(200, ENDPOINT)) as server:
            demo._serve(server.client(), "digits@9")

        assert [(a.method, a.path.removeprefix(BASE)) for a in server.asked] == [
            ("GET", "/digits"),
            ("POST", "/digits/deploy"),
            ("GET", "/e1"),
        ]

    def test_makes_the_endpoint_that_is_not(self):
        def answer(asked: Asked) -> Answer:
            if asked.path == f"{BASE}/digits":
                return Answer(404, {"detail": "There is none."})
            return Answer(200, ENDPOINT)

        with plane(answer) as server:
            demo._serve(server.client(), "digits@1")

        assert server.asked[1].json == {"name": "digits", "model": "digits@1"}


class TestEvents:
    def test_are_a_line_each(self):
        told = {"at": "2026-11-23T10:00:00Z", "what": {"text": "Scaled."}, "actor": "ada"}
        alone = told | {"what": {"text": "Replica 1 ended."}, "actor": None}
        page = {"results": [told, alone], "next": None}
        with plane(lambda asked: Answer(200, page)) as server:
            result = run("endpoints", "events", "digits", url=server.url)

        assert server.asked[0].path == f"{BASE}/digits/events"
        lines = [line.split() for line in result.stdout.splitlines()[1:]]
        assert lines[0] == ["2026-11-23", "10:00:00", "Scaled.", "ada"]
        assert lines[1][2:] == ["Replica", "1", "ended."]
