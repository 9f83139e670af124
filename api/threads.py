"""Runs short blocking work in a thread, a few at a time.

Threads that compute take turns with the event loop, so many of them at once would delay every answer.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

AT_A_TIME = 4
_free_threads = asyncio.Semaphore(AT_A_TIME)
P = ParamSpec("P")
T = TypeVar("T")


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    async with _free_threads:
        return await asyncio.to_thread(function, *args, **kwargs)
