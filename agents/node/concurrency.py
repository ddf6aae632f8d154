"""Doing a few things at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def happens(event: asyncio.Event, *, within: float) -> bool:
    """Whether an event is set in so many seconds.

    ``asyncio.wait_for`` of Python 3.11 loses a cancellation that comes together with the event: who
    is told to end would go on, and whoever waits for that would wait for ever.
    """
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def each(work: Callable[[T], Awaitable[None]], items: Iterable[T], *, at_once: int) -> None:
    """Do it for every item, a few at a time; the first error ends all and is raised."""
    waiting = iter(items)

    async def take_turns() -> None:
        for item in waiting:
            await work(item)

    tasks = [asyncio.create_task(take_turns()) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
