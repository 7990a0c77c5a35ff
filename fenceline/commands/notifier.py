"""`fenceline notifier`: carry messages out, by SMS, push, e-mail and webhooks."""

import asyncio
import logging
import signal

import click

from fenceline import logs
from fenceline.settings import BadSetting, Settings, settings


@click.command()
@click.option("--health-port", type=click.IntRange(0, 65535), help="Answer /healthz and /readyz here; 0: a free port.")
def command(health_port: int | None) -> None:
    """Carry out what the worker decided to tell people: SMS (Twilio), Web Push, chat bots, e-mail, webhooks.

    Run as many as you like; they share the work. What is not set up is not used: FENCELINE_TWILIO_ACCOUNT_SID and its
    kin, FENCELINE_VAPID_PRIVATE_KEY, FENCELINE_SMTP_URL, FENCELINE_WEBHOOK_SECRET; docs/notifications.md has the list.
    """
    import uvloop  # noqa: PLC0415  # --help need not wait for it

    chosen = settings()
    logs.configure(logging.getLevelNamesMapping()[chosen.worker_log_level.upper()])
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(chosen, health_port))
    except BadSetting as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {health_port}: {error}") from error


async def work(chosen: Settings, health_port: int | None) -> None:
    """Carry messages out until SIGTERM or SIGINT.

    Raises:
        BadSetting: a channel is set up half.
        OSError: the port is taken.
    """
    from contextlib import AsyncExitStack  # noqa: PLC0415

    from agents.channels.setup import channels_of  # noqa: PLC0415
    from agents.claims import Claims  # noqa: PLC0415
    from agents.courier import Courier  # noqa: PLC0415
    from agents.delivery import Delivery  # noqa: PLC0415
    from agents.health import serve_health  # noqa: PLC0415

    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    async with AsyncExitStack() as stack:
        channels = channels_of(chosen)
        for channel in set(channels.values()):
            stack.push_async_callback(channel.close)
        claims = Claims(chosen.redis_url)
        stack.push_async_callback(claims.close)
        patience_s = 2 * chosen.notify_timeout_s
        courier = Courier(chosen, lambda known: Delivery(channels, known, claims, patience_s=patience_s))
        if health_port is not None:
            await stack.enter_async_context(serve_health(health_port, courier.facts, lambda: True))
        await courier.run(ending)
