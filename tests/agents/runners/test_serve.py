"""A replica as a process, called over its real door."""

import asyncio
import io
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from agents.protocol.calls import BEARER_REFUSED
from tests.agents.runners.replica import Gateway, Replica, leave_model, numbers


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """One for all that leave it as it was."""
    one = Replica(tmp_path_factory.mktemp("replica"), max_queue=400)
    one.start()
    yield one
    one.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(**more: Any) -> Replica:
        made.append(Replica(tmp_path / "own", **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def a_picture() -> bytes:
    body = io.BytesIO()
    Image.effect_noise((60, 60), 50).save(body, "PNG")
    return body.getvalue()


class TestGreeting:
    async def test_says_what_it_takes(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            greeted = await gateway.greeted()

        assert (greeted.version, greeted.max_batch, greeted.max_queue) == (1, 64, 400)

    @pytest.mark.parametrize("bearer", ["", "another", "ein anderer, ähnlich"])
    async def test_a_wrong_bearer(self, replica: Replica, bearer: str) -> None:
        async with Gateway(replica.service(), bearer=bearer) as gateway:
            with pytest.raises(ConnectionClosed) as closed:
                await gateway.greeted()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == BEARER_REFUSED

    @pytest.mark.parametrize("message", [b"", b"\xc1", b"\x90", "text", b"\x91" * 4000])
    async def test_no_greeting(self, replica: Replica, message: bytes | str) -> None:
        service = replica.service()
        trusted = ssl.create_default_context(cadata=service.certificate)
        async with connect(f"wss://{service.host}:{service.port}", ssl=trusted) as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == BEARER_REFUSED

    async def test_a_stranger_cannot_make_it_hold_much(self, replica: Replica) -> None:
        service = replica.service()
        trusted = ssl.create_default_context(cadata=service.certificate)
        async with connect(f"wss://{service.host}:{service.port}", ssl=trusted) as socket:
            await socket.send(bytes(5000))
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009

    async def test_its_certificate_is_trusted_by_itself_alone(self, replica: Replica) -> None:
        service = replica.service()
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"wss://{service.host}:{service.port}", ssl=ssl.create_default_context())
        elsewhere = f"wss://localhost:{service.port}"  # its certificate is for an address
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(elsewhere, ssl=ssl.create_default_context(cadata=service.certificate))


class TestCalls:
    async def test_one(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            answer = await gateway.ask(numbers())

        (prediction,) = json.loads(answer.body)
        assert answer.status == 200
        assert answer.batch == 1
        assert answer.computed_us > 0
        assert prediction["score"] == max(prediction["scores"].values())

    async def test_of_several_rows(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            answer = await gateway.ask(numbers(rows=5), rows=5)
            rows = [await gateway.ask(numbers(rows=5)[n * 3136 :][:3136]) for n in range(5)]

        expected = [json.loads(row.body)[0]["label"] for row in rows]
        assert [row["label"] for row in json.loads(answer.body)] == expected

    async def test_a_picture(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            answer = await gateway.ask(a_picture(), kind="image/png")

        assert answer.status == 200
        assert len(json.loads(answer.body)) == 1

    async def test_many_are_computed_together_and_each_gets_its_own(self, replica: Replica) -> None:
        bodies = [numbers(seed=seed) for seed in range(200)]
        async with Gateway(replica.service()) as gateway, Gateway(replica.service()) as other:
            await gateway.greeted()
            await other.greeted()
            alone = [await gateway.ask(body) for body in bodies[:40]]
            ours = [gateway.call(body) for body in bodies]
            theirs = [other.call(body) for body in reversed(bodies)]
            await asyncio.gather(gateway.send(*ours[:150]), other.send(*theirs))
            await gateway.send(*ours[150:])
            found, others = await asyncio.gather(gateway.answers(200), other.answers(200))

        assert {answer.status for answer in [*found.values(), *others.values()]} == {200}
        assert max(answer.batch for answer in found.values()) > 1
        labels = [json.loads(found[call.id].body)[0]["label"] for call in ours]
        mirrored = [json.loads(others[call.id].body)[0]["label"] for call in reversed(theirs)]
        assert labels == mirrored
        assert labels[:40] == [json.loads(answer.body)[0]["label"] for answer in alone]

    async def test_a_broken_one_spoils_no_other(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            good = [gateway.call(numbers()), gateway.call(a_picture(), kind="image/png")]
            short = gateway.call(numbers()[:-1])
            cut = gateway.call(a_picture()[:500], kind="image/png")
            foreign = gateway.call(b"%PDF", kind="application/pdf")
            large = gateway.call(numbers(rows=65), rows=65)
            await gateway.send(short, good[0], cut, foreign, large, good[1])
            found = await gateway.answers(6)

        assert [found[call.id].status for call in good] == [200, 200]
        told = {call.id: (found[call.id].status, found[call.id].code) for call in (short, cut)}
        assert told == {short.id: (422, "input_shape"), cut.id: (422, "picture_unreadable")}
        assert found[cut.id].params["field"] == "image"
        assert (found[foreign.id].status, found[foreign.id].code) == (
            415,
            "content_type_unsupported",
        )
        assert found[large.id].params == {"rows": 65, "most": 64}

    async def test_what_is_not_understood_ends_the_connection(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            await gateway.socket.send(b"\x01")
            with pytest.raises(ConnectionClosed) as closed:
                await gateway.socket.recv()

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1007

    async def test_more_than_may_wait(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            calls = [gateway.call(numbers()) for _ in range(600)]
            await gateway.send(*calls)
            found = await gateway.answers(600)
            again = await gateway.ask(numbers())

        told = [(found[call.id].status, found[call.id].code) for call in calls]
        assert told == [(200, "")] * 400 + [(503, "queue_full")] * 200
        assert found[calls[-1].id].params == {"most": 400}
        assert again.status == 200

    async def test_of_a_gateway_that_left_bother_nobody(self, replica: Replica) -> None:
        async with Gateway(replica.service()) as gone:
            await gone.greeted()
            await gone.send(*(gone.call(numbers(rows=32), rows=32) for _ in range(60)))
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            answer = await gateway.ask(numbers())

        assert answer.status == 200


class TestEnd:
    async def test_sigterm_answers_what_it_has_and_takes_no_more(
        self, own: Callable[..., Replica]
    ) -> None:
        replica = own()
        replica.start()
        async with Gateway(replica.service()) as gateway:
            await gateway.greeted()
            calls = [gateway.call(numbers(rows=64), rows=64) for _ in range(80)]
            await gateway.send(*calls)
            found = await gateway.answers(1)
            replica.process.terminate()
            drained = []
            while not drained:  # it hears of the signal while it computes
                await gateway.send(late := gateway.call(numbers()))
                for id_, answer in (await gateway.answers(1)).items():
                    found[id_] = answer
                    if answer.code == "draining":
                        drained.append(late)
            rest, closed = await gateway.rest()
            found |= rest

        assert closed == 1001

        assert replica.process.wait(30) == 0
        assert {found[call.id].status for call in calls} == {200}
        assert "calls answered" in replica.log

    def test_sigterm_without_calls(self, own: Callable[..., Replica]) -> None:
        replica = own()
        replica.start()
        replica.service()

        assert replica.stop() == 0

    def test_weights_that_do_not_match_are_the_fault_of_what_is_deployed(
        self, own: Callable[..., Replica]
    ) -> None:
        replica = own()
        leave_model(
            replica.workspace / "fetched" / "model", weights={"0.weight": torch.zeros(32, 1, 5, 5)}
        )
        replica.start()

        assert replica.process.wait(60) == 1
        assert replica.failure == {
            "code": "weights_shape_mismatch",
            "cause": "user_code",
            "params": {
                "tensor": "0.weight",
                "expected": "32 x 1 x 3 x 3",
                "found": "32 x 1 x 5 x 5",
            },
        }
        assert not (replica.workspace / "told" / "service.json").exists()

    def test_without_a_bearer_it_does_not_open(self, own: Callable[..., Replica]) -> None:
        replica = own(bearer="")
        replica.start()

        assert replica.process.wait(60) == 1
        assert replica.failure["code"] == "replica_bearer_missing"
        assert replica.failure["cause"] == "environment"
