"""`fenceline project`: keep what the console shows."""

import asyncio
import logging
import signal

import click

from fenceline import logs
from fenceline.settings import Settings, settings


@click.command()
@click.option("--health-port", type=click.IntRange(0, 65535), help="Answer /healthz and /readyz here; 0: a free port.")
def command(health_port: int | None) -> None:
    """Project the topics into Redis (FENCELINE_REDIS_URL), from where the console reads.

    Run as many as you like; they share the partitions. Redis may be emptied at any time: all of it is filled anew.
    Ready when the model is full.
    """
    import uvloop  # noqa: PLC0415  # --help need not wait for it

    from agents.modelstore import Outdated  # noqa: PLC0415
    from agents.topics import TopicsWrong  # noqa: PLC0415

    chosen = settings()
    logs.configure(logging.getLevelNamesMapping()[chosen.worker_log_level.upper()])
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(chosen, health_port))
    except (TopicsWrong, Outdated) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {health_port}: {error}") from error


async def work(chosen: Settings, health_port: int | None) -> None:
    """Project until SIGTERM or SIGINT.

    Raises:
        OSError: the port is taken.
    """
    from contextlib import AsyncExitStack  # noqa: PLC0415

    from agents.health import serve_health  # noqa: PLC0415
    from agents.project import Projector  # noqa: PLC0415

    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    async with AsyncExitStack() as stack:
        projector = Projector(chosen)
        if health_port is not None:
            await stack.enter_async_context(serve_health(health_port, projector.facts, lambda: True))
        await projector.run(ending)
