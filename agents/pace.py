"""May this message go now? Rates for one person and for all together, counted in Redis for all who send."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from pipeline.channels.policy import Rate, Rates
from schemas.notification import Notification

log = structlog.get_logger()

REDIS_TIMEOUT_S = 0.5

# KEYS: buckets. ARGV: per_s and burst of each, in turn. Takes one from every bucket, or from none; returns the seconds
# to wait as text, because Redis cuts Lua's numbers to integers. The clock is Redis' own.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local wait, left = 0, {}
for i, key in ipairs(KEYS) do
  local per_s, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local state = redis.call('HMGET', key, 'left', 'at')
  left[i] = math.min(burst, (tonumber(state[1]) or burst) + math.max(0, now - (tonumber(state[2]) or now)) * per_s)
  if left[i] < 1 then wait = math.max(wait, (1 - left[i]) / per_s) end
end
if wait == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('HSET', key, 'left', tostring(left[i] - 1), 'at', string.format('%.6f', now))
    redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[2 * i]) / tonumber(ARGV[2 * i - 1]) * 1000) + 1000)
  end
end
return tostring(wait)
"""


class Pace:
    """Token buckets by recipient and for all. While Redis is away each sender counts for itself."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis: Any = redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, max_connections=32
        )
        self._script = self._redis.register_script(_TAKE)
        self._clock = clock
        self._own: dict[str, tuple[float, float]] = {}

    async def take(self, notification: Notification, rates: Rates) -> float:
        """Take what one message costs: 0, or the seconds after which to ask again; nothing is taken then."""
        urgent = notification.urgent
        who = notification.recipient or notification.agency
        person = rates.urgent_person if urgent else rates.person
        buckets = [(f"fl:pace:{'urgent' if urgent else 'person'}:{who}", person), ("fl:pace:total", rates.total)]
        arguments = [part for _, rate in buckets for part in (rate.per_minute / 60, rate.burst)]
        try:
            return float(await self._script(keys=[key for key, _ in buckets], args=arguments))
        except (RedisError, OSError) as error:
            log.warning("messages are counted by each sender alone", error=type(error).__name__)
            return self._take_own(buckets)

    def _take_own(self, buckets: Sequence[tuple[str, Rate]]) -> float:
        now = self._clock()
        lefts: list[float] = []
        wait_s = 0.0
        for key, rate in buckets:
            left, at = self._own.get(key, (rate.burst, now))
            left = min(rate.burst, left + (now - at) * rate.per_minute / 60)
            lefts.append(left)
            wait_s = max(wait_s, (1 - left) * 60 / rate.per_minute if left < 1 else 0.0)
        if wait_s == 0:
            self._own |= {key: (left - 1, now) for (key, _), left in zip(buckets, lefts, strict=True)}
        return wait_s

    async def close(self) -> None:
        """Let go of connections."""
        await self._redis.aclose()
