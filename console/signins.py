"""How often may one place fail to sign in? So often a minute, then it is told to wait.

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

    async def failed(self, address: str) -> int:
        """Enter a failure; 0, or the seconds for which `address` is told to wait.

        Raises:
            RedisError: Redis is away.
        """
        async with self._store.pipeline(transaction=True) as together:
            together.incr(_PREFIX + address)
            together.expire(_PREFIX + address, SPAN_S, nx=True)
            together.ttl(_PREFIX + address)
            failed, _, left_s = await together.execute()
        return max(1, int(left_s)) if failed > self._most else 0
