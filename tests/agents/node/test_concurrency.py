import asyncio

import pytest

from agents.node.concurrency import happens


class TestHappens:
    async def test_says_whether_it_did(self):
        event = asyncio.Event()

        assert not await happens(event, within=0.01)
        event.set()
        assert await happens(event, within=0.01)

    @pytest.mark.parametrize("steps", range(5))
    async def test_never_loses_an_end_that_comes_with_the_event(self, steps: int):
        event = asyncio.Event()

        async def go_on_for_ever() -> None:
            while True:
                event.clear()
                await happens(event, within=60)

        task = asyncio.create_task(go_on_for_ever())
        await asyncio.sleep(0)
        event.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()

        done, _ = await asyncio.wait([task], timeout=1)

        assert done
        assert task.cancelled()
