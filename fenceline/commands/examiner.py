"""`fenceline examiner`: have the pictures of check-ins measured."""

import asyncio
import logging
import signal

import click

from fenceline import logs
from fenceline.settings import Settings, settings


@click.command()
@click.option("--health-port", type=click.IntRange(0, 65535), help="Answer /healthz and /readyz here; 0: a free port.")
def command(health_port: int | None) -> None:
    """Measure the pictures of check-ins, in processes beside this one; delete faces and pictures when it is time.

    Run as many as you like; they share the work. Processes: FENCELINE_FACE_PROCESSES, one a core is best. Model:
    FENCELINE_FACE_MODEL. Pictures and templates: FENCELINE_OBJECT_STORE, with FENCELINE_MASTER_KEY. What the
    measures mean is decided by `fenceline worker`.
    """
    import uvloop  # noqa: PLC0415  # --help need not wait for it

    from agents.facepool import Unable  # noqa: PLC0415
    from agents.objectstore import NoMasterKey  # noqa: PLC0415

    chosen = settings()
    logs.configure(logging.getLevelNamesMapping()[chosen.worker_log_level.upper()])
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(chosen, health_port))
    except (NoMasterKey, Unable) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {health_port}: {error}") from error


async def work(chosen: Settings, health_port: int | None) -> None:
    """Measure until SIGTERM or SIGINT.

    Raises:
        NoMasterKey: nothing can be decrypted.
        Unable: the model's weights are missing, or no process can be started.
        OSError: the port is taken.
    """
    from contextlib import AsyncExitStack  # noqa: PLC0415

    from agents.examiner import Examiner  # noqa: PLC0415
    from agents.health import serve_health  # noqa: PLC0415
    from agents.objectstore import vault_of  # noqa: PLC0415
    from fenceline.comparing import pool_of  # noqa: PLC0415

    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    vault = vault_of(chosen)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_of(chosen, chosen.face_processes))
        examiner = Examiner(chosen, vault, pool, chosen.face_processes)
        if health_port is not None:
            await stack.enter_async_context(serve_health(health_port, examiner.facts, lambda: True))
        await examiner.run(ending)
