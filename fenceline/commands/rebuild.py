"""`fenceline rebuild`: empty the read model, so that it is filled anew from the topics."""

import asyncio
import time

import click
from redis.exceptions import RedisError

from fenceline.settings import settings

POLL_S = 0.2


@click.command()
@click.option("--wait", "wait_s", type=float, default=0.0, help="Wait so many seconds until it is full again.")
def command(wait_s: float) -> None:
    """Empty the read model in Redis (FENCELINE_REDIS_URL); nothing else in Redis is touched.

    Whoever projects (`fenceline project`) fills it anew from the topics. Until it is full the console says that it is
    starting.

    \b
    Exit code: 0 emptied (and full again, with --wait), 1 not full in time, 3 no Redis.
    """
    try:
        full = asyncio.run(_rebuild(settings().redis_url, wait_s))
    except (RedisError, OSError) as error:
        click.echo(f"Redis does not answer: {error or type(error).__name__}; see FENCELINE_REDIS_URL", err=True)
        raise SystemExit(3) from error
    if wait_s and not full:
        click.echo(f"not full after {wait_s:g} s; does `fenceline project` run?", err=True)
        raise SystemExit(1)
    click.echo("full again" if full else "emptied; `fenceline project` fills it anew")


async def _rebuild(url: str, wait_s: float) -> bool:
    from agents.modelstore import ModelStore  # noqa: PLC0415  # --help need not wait for it
    from pipeline.readmodel import layout  # noqa: PLC0415

    store = ModelStore(url)
    try:
        await store.drop()
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            epoch, filled = await store.redis.mget(layout.EPOCH, layout.FILLED)
            if epoch is not None and epoch == filled:
                return True
            await asyncio.sleep(POLL_S)
        return False
    finally:
        await store.close()
