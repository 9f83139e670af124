"""Limits per client address: new users, and requests with bad credentials. Redis counts for all API processes.

If Redis does not answer, nothing is refused, and no request waits for Redis.
"""

import math
import time
from functools import cache

import structlog
from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.http import client_address, client_network
from shared import queue
from shared.errors import TooManyBadCredentials, TooManyNewUsers
from shared.settings import get_settings

REDIS_TIMEOUT_S = 0.25
PAUSE_S = 5.0
"""After an error of Redis, nothing is counted for this time."""

log = structlog.get_logger(__name__)


class _Counter:
    def __init__(self) -> None:
        redis = queue.connect(REDIS_TIMEOUT_S, retry=Retry(NoBackoff(), 0))
        storage = RedisStorage("redis://", connection_pool=redis.connection_pool)
        self._window = FixedWindowRateLimiter(storage)
        self._paused_until_s = 0.0

    def count(self, limit: RateLimitItem, event: str, address: str) -> int | None:
        """Count an event. Return None if it is allowed, or the seconds until the next event is allowed."""
        if time.monotonic() < self._paused_until_s:
            return None
        try:
            if self._window.hit(limit, event, address):
                return None
            reset_time_s = self._window.get_window_stats(limit, event, address).reset_time
        except RedisError as error:
            self._paused_until_s = time.monotonic() + PAUSE_S
            log.warning("rate limits are off: Redis does not answer", error=type(error).__name__)
            return None
        return max(1, math.ceil(reset_time_s - time.time()))


_counter = cache(_Counter)


def count_new_user(request: Request) -> None:
    """Count a request to create a user. Raises TooManyNewUsers."""
    limit = RateLimitItemPerHour(get_settings().max_new_users_per_hour)
    retry_after_s = _counter().count(limit, "new_user", _client(request))
    if retry_after_s is not None:
        raise TooManyNewUsers(retry_after_s)


def count_bad_credentials(request: Request) -> None:
    """Count a request with bad credentials. Raises TooManyBadCredentials."""
    limit = RateLimitItemPerMinute(get_settings().max_bad_credentials_per_minute)
    retry_after_s = _counter().count(limit, "bad_credentials", _client(request))
    if retry_after_s is not None:
        raise TooManyBadCredentials(retry_after_s)


def _client(request: Request) -> str:
    """Return the client's address, or the network of an IPv6 address."""
    return client_network(client_address(request))
