"""One connection per replica, many calls per message."""

import asyncio
from uuid import uuid4

import pytest

from agents.protocol.results import Signature, Tensor
from apps.serving.checks import Checker, Payload
from apps.serving.routing import Place
from apps.serving.upstream import BATCH_BYTES, AnswerLost, Link, NotBegun

SIGNATURE = Signature(
    task="image_classification",
    inputs=[Tensor(name="image", dtype="float32", shape=[None, 1])],
    outputs=[],
    weights="",
)
PAYLOAD = Payload("tensors", bytes(4), 1)


def place(replica) -> Place:
    return Place(
        replica_id=uuid4(),
        bearer="",
        model="digits@1",
        model_json=b'"digits@1"',
        checker=Checker(SIGNATURE, 4),
        **replica.service,
    )


class TestLink:
    async def test_sends_what_has_gathered_in_one_message(self, replica):
        link = Link(place(replica))
        await link.opened.wait()

        asked = [link.ask(PAYLOAD) for _ in range(5)]
        answers = [await one.answer for one in asked]

        assert [len(message) for message in replica.messages] == [5]
        assert [answer.id for answer in answers] == [call.id for call in replica.calls]
        await link.close()

    async def test_does_not_send_what_nobody_waits_for(self, replica):
        link = Link(place(replica))
        await link.opened.wait()

        with link.ask(PAYLOAD):
            pass
        with link.ask(PAYLOAD) as answering:
            await answering

        assert len(replica.calls) == 1
        assert link.outstanding == 0
        await link.close()

    async def test_sends_what_waits_behind_much_that_nobody_waits_for(self, replica):
        link = Link(place(replica))
        await link.opened.wait()
        large = Payload("tensors", bytes(BATCH_BYTES // 2 + 1), 1)

        with link.ask(large), link.ask(large):
            pass
        with link.ask(large) as answering:
            async with asyncio.timeout(20):
                await answering

        assert len(replica.calls) == 1
        await link.close()

    async def test_says_which_calls_had_left_when_it_breaks(self, replica):
        replica.hold()
        link = Link(place(replica))
        await link.opened.wait()
        left = link.ask(PAYLOAD)
        while not replica.held:
            await asyncio.sleep(0)

        await asyncio.to_thread(replica.drop)
        with pytest.raises(AnswerLost):
            await left.answer
        await link.opened.wait()
        replica.hold()
        stays = link.ask(PAYLOAD)
        link._break()  # before the loop has had a turn

        with pytest.raises(NotBegun):
            await stays.answer
        await link.close()

    async def test_drains_before_it_closes(self, replica):
        replica.hold()
        link = Link(place(replica))
        await link.opened.wait()
        asked = link.ask(PAYLOAD)
        while not replica.held:
            await asyncio.sleep(0)

        closing = asyncio.create_task(link.close(drain_seconds=20))
        await asyncio.to_thread(replica.release)

        assert (await asked.answer).status == 200
        with asked:
            pass
        await closing
