"""`fenceline console`: the duty desk, the person's page, and their API."""

import asyncio

import click
import uvloop

from fenceline import logs
from fenceline.settings import settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
def command(*, host: str, port: int) -> None:
    """Serve the duty desk (/desk), the person's page (/me) and the API (/api/v1).

    It reads what `fenceline project` keeps in Redis. Broker and Redis: FENCELINE_BROKER, FENCELINE_REDIS_URL; check-ins
    are passed on to the gateway at FENCELINE_CONSOLE_GATEWAY. Behind a proxy that speaks HTTPS nothing more is needed;
    over plain HTTP on another machine's address browsers keep no cookie unless FENCELINE_CONSOLE_SECURE_COOKIES=false.
    """
    from console.server import serve  # noqa: PLC0415  # Litestar takes half a second; --help need not wait for it
    from gateway.services import Stuck  # noqa: PLC0415

    logs.configure()
    try:
        uvloop.run(serve(settings(), host, port))
    except Stuck as error:
        raise click.ClickException(f"{error}; the log says more") from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    except asyncio.CancelledError:
        pass
