"""`fenceline worker`: judge what comes in."""

import asyncio
import logging
import sys
from contextlib import nullcontext

import click
import msgspec

from fenceline import logs
from fenceline.settings import settings


@click.command()
@click.option("--agents", "names", default="", metavar="A,B", help="Run only these agents; default: all.")
@click.option("--health-port", type=click.IntRange(0, 65535), help="Answer /healthz and /readyz here; 0: a free port.")
@click.option("--embedded", is_flag=True, help="Start an embedded broker too and make the topics; for trials.")
def command(names: str, health_port: int | None, embedded: bool) -> None:
    """Judge what comes in: from fixes and timers to incidents, scores, alerts and tasks.

    Run as many as you like; they share the partitions. SIGTERM: state is written, the group left, exit 0. Another exit
    code than 0 means: start it again. Broker: FENCELINE_BROKER.
    """
    import uvloop  # noqa: PLC0415  # --help need not wait for it

    from agents.agent import UnknownAgent, agents_named  # noqa: PLC0415
    from agents.app import Worker  # noqa: PLC0415
    from agents.topics import TopicsWrong, create_topics  # noqa: PLC0415
    from fenceline.embedded import embedded_broker  # noqa: PLC0415

    chosen = settings()
    logs.configure(logging.getLevelNamesMapping()[chosen.worker_log_level.upper()])
    try:
        agents = agents_named(names.split(",") if names else None)
    except UnknownAgent as error:
        raise click.BadParameter(str(error), param_hint="--agents") from error

    async def work(broker: str | None) -> int:
        with_broker = chosen if broker is None else msgspec.structs.replace(chosen, broker=broker)
        if broker is not None:
            await create_topics(with_broker, agents_named())
            click.echo(msgspec.json.encode({"broker": broker}).decode())
        return await Worker(with_broker, agents, health_port).run()

    try:
        with (
            embedded_broker() if embedded else nullcontext() as broker,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            code = runner.run(work(broker))
    except TopicsWrong as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {health_port}: {error}") from error
    sys.exit(code)
