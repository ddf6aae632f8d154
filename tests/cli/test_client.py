"""The client: refusals as sentences, lists as iterators, a restarting server unnoticed."""

import click
import pytest

from controlplane.cli import client as client_module
from controlplane.cli import config
from controlplane.cli.client import Refused
from tests.cli.plane import Answer, Asked, plane
from tests.servers import free_port


class TestRefused:
    def test_names_every_field(self):
        problem = {
            "detail": "Some fields cannot be taken.",
            "errors": [{"field": "name", "detail": "It is taken."}],
        }
        with plane(lambda asked: Answer(422, problem)) as server:
            with pytest.raises(Refused) as refused:
                server.client().post("/jobs", {})

        assert refused.value.message == "Some fields cannot be taken.\n  name: It is taken."

    def test_lets_no_control_sequence_through(self):
        with plane(lambda asked: Answer(404, {"detail": "no \x1b]0;title\x07dataset"})) as server:
            with pytest.raises(Refused, match="no dataset"):
                server.client().get("/jobs")

    def test_is_a_sentence_even_for_what_is_no_problem_document(self):
        with plane(lambda asked: Answer(502, b"<html>")) as server:
            with pytest.raises(Refused, match="the server answered 502"):
                server.client().get("/jobs")


class TestAsking:
    def test_shows_its_token_and_a_key_that_makes_a_repeat_harmless(self, monkeypatch):
        monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)
        answers = iter([Answer(503), Answer(200, b"{}", cut=0), Answer(201, {"id": "j1"})])
        with plane(lambda asked: next(answers)) as server:
            assert server.client().post("/jobs", {"kind": "train"}) == {"id": "j1"}

        assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer dh_token"}
        assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1

    def test_walks_through_all_pages(self):
        def answer(asked: Asked) -> Answer:
            if "cursor=two" in asked.path:
                return Answer(200, {"results": [3], "next": None})
            return Answer(200, {"results": [1, 2], "next": "two"})

        with plane(answer) as server:
            assert list(server.client().pages("/nodes", name=None)) == [1, 2, 3]
        assert server.asked[0].path == "/api/v1/nodes"

    def test_says_that_nobody_answers(self, monkeypatch):
        monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)
        url = f"http://127.0.0.1:{free_port()}"

        with pytest.raises(click.ClickException, match=f"{url} does not answer"):
            client_module.Client(config.Login(url, "t")).get("/session")
