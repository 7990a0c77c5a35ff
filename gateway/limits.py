"""How much may one sender send? Sizes, times and rates."""

import time
from collections.abc import Callable
from typing import NamedTuple

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from fenceline.settings import Settings
from gateway.metrics import Metrics, Name
from pipeline.credentials import only_device
from schemas.credential import Credential

log = structlog.get_logger()

LEASE_S = 0.5
REDIS_TIMEOUT_S = 0.25
REDIS_PAUSE_S = 2.0


class Limits(NamedTuple):
    """What one request, and all together, may take."""

    body_bytes: int = 1024 * 1024
    unpacked_bytes: int = 10 * 1024 * 1024
    fixes: int = 10_000
    body_timeout_s: float = 15.0
    ack_timeout_s: float = 8.0
    requests_at_once: int = 1_000
    in_flight_fixes: int = 50_000
    linger_s: float = 0.003


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings ask for."""
    return Limits(
        body_bytes=settings.gateway_max_body_bytes,
        unpacked_bytes=settings.gateway_max_unpacked_bytes,
        fixes=settings.gateway_max_fixes,
        ack_timeout_s=settings.gateway_ack_timeout_s,
        body_timeout_s=settings.gateway_body_timeout_s,
        requests_at_once=settings.gateway_max_requests,
        in_flight_fixes=settings.gateway_in_flight_fixes,
    )


class Rate(NamedTuple):
    """A token bucket: `per_s` fixes a second, and `burst` at once after a pause."""

    per_s: float
    burst: float


def rate_of(credential: Credential, settings: Settings) -> Rate:
    """The rate that holds for `credential`: its own, or the default for one device or for a feed of many."""
    if only_device(credential) is not None:
        per_s, burst = settings.gateway_device_fixes_per_s, settings.gateway_device_burst
    else:
        per_s, burst = settings.gateway_feed_fixes_per_s, settings.gateway_feed_burst
    return Rate(credential.fixes_per_s or per_s, credential.burst_fixes or burst)


class Bucket:
    """A token bucket in this process."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = rate.burst
        self._at = now

    def take(self, cost: float, now: float) -> float:
        """Take `cost`, or nothing: 0, or the seconds after which to ask again."""
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.per_s)
        self._at = now
        if self._left >= cost:
            self._left -= cost
            return 0.0
        return (cost - self._left) / self._rate.per_s


# KEYS[1]: the bucket. ARGV: per_s, burst, needed, wished. Returns {granted, seconds to wait}, both as text, because
# Redis cuts Lua's numbers to integers. The clock is Redis' own, so that gateways need not agree on the time.
_LEASE = """
local per_s, burst, needed, wished = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local state = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = math.min(burst, (tonumber(state[1]) or burst) + math.max(0, now - (tonumber(state[2]) or now)) * per_s)
local granted, wait = 0, 0
if left >= needed then granted = math.min(left, wished) else wait = (needed - left) / per_s end
redis.call('HSET', KEYS[1], 'left', tostring(left - granted), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / per_s * 1000) + 1000)
return {tostring(granted), tostring(wait)}
"""


class Rates:
    """Rates of all senders, shared by all gateways through Redis.

    A gateway leases half a second's worth at a time, so that a busy feed costs Redis two calls a second and not one a
    request. While Redis is away each gateway counts for itself, with the same rate: n gateways then let through up to
    n times as much, which is better than turning devices away.
    """

    def __init__(self, url: str, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, max_connections=32
        )
        self._script = self._redis.register_script(_LEASE)
        self._metrics = metrics
        self._clock = clock
        self._leased: dict[str, float] = {}
        self._own: dict[str, Bucket] = {}
        self._again_at = 0.0

    async def take(self, token_id: str, rate: Rate, cost: float) -> float:
        """Take `cost` fixes from the bucket of `token_id`: 0, or the seconds after which to ask again."""
        cost = min(cost, rate.burst)
        left = self._leased.get(token_id, 0.0)
        if left >= cost:
            self._leased[token_id] = left - cost
            return 0.0
        now = self._clock()
        if now >= self._again_at:
            try:
                return await self._lease(token_id, rate, cost)
            except (RedisError, OSError, TimeoutError) as error:
                self._again_at = now + REDIS_PAUSE_S
                self._metrics.set(Name.SHARED_RATES, 0)
                log.warning("rates_not_shared", error=type(error).__name__)
        return self._own.setdefault(token_id, Bucket(rate, now)).take(cost, now)

    async def _lease(self, token_id: str, rate: Rate, cost: float) -> float:
        needed = cost - self._leased.get(token_id, 0.0)
        wished = min(max(needed, rate.per_s * LEASE_S), rate.burst)
        granted, wait_s = await self._script(
            keys=[f"fenceline:rate:{token_id}"], args=[rate.per_s, rate.burst, needed, wished]
        )
        self._metrics.set(Name.SHARED_RATES, 1)
        self._own.pop(token_id, None)
        if float(granted) <= 0:
            return float(wait_s) or 1.0
        # another request may have leased or spent meanwhile; what it left is still ours
        self._leased[token_id] = self._leased.get(token_id, 0.0) + float(granted) - cost
        return 0.0

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()
