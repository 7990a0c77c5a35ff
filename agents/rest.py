"""How does work that can wait leave room for what cannot? It rests until the process has been idle for a while."""

import asyncio
import time

IDLE_SHARE = 0.25
LONGEST_S = 0.5
LOOK_S = 0.02


class Turn:
    """A piece of such work, from when this is made."""

    def __init__(self) -> None:
        self._since_s, self._spent_s = time.monotonic(), time.process_time()

    async def rest(self) -> None:
        """Returns when this process has been idle for `IDLE_SHARE` of the time since the piece began; after
        `LONGEST_S` at the latest, so that the work gets done where there is always more to do."""
        until_s = time.monotonic() + LONGEST_S
        while (now_s := time.monotonic()) < until_s:
            worked_s = time.process_time() - self._spent_s
            if worked_s <= (1 - IDLE_SHARE) * (now_s - self._since_s):
                return
            await asyncio.sleep(LOOK_S)
