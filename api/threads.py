"""Runs short blocking work in a thread, a few at a time.

Threads that compute take turns with the event loop, so many of them at once would delay every answer.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

AT_A_TIME = 4
_turn = asyncio.Semaphore(AT_A_TIME)
P = ParamSpec("P")
T = TypeVar("T")


async def run_in_turn(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    async with _turn:
        return await asyncio.to_thread(function, *args, **kwargs)
