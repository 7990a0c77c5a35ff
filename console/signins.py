"""How often may one place fail to sign in? So often a minute, then it waits.

There is nothing to guess in 256 random bits; this keeps noise from the log and work from the process.
"""

import redis.asyncio as redis

SPAN_S = 60
MOST = 20
_PREFIX = "fenceline:signin:"


class Attempts:
    """Failed sign-ins by the address they came from, shared by all consoles through Redis."""

    def __init__(self, store: "redis.Redis", most: int = MOST) -> None:
        self._store = store
        self._most = most

    async def wait_s(self, address: str) -> int:
        """0, or the seconds after which `address` may try again.

        Raises:
            RedisError: Redis is away.
        """
        failed = int(await self._store.get(_PREFIX + address) or 0)
        return max(1, await self._store.ttl(_PREFIX + address)) if failed >= self._most else 0

    async def failed(self, address: str) -> None:
        """Enter a failure.

        Raises:
            RedisError: Redis is away.
        """
        async with self._store.pipeline(transaction=True) as together:
            together.incr(_PREFIX + address)
            together.expire(_PREFIX + address, SPAN_S, nx=True)
            await together.execute()
