"""`fenceline gateway`: let devices' reports in."""

import asyncio

import click
import msgspec
import structlog
import uvloop

from fenceline import logs
from fenceline.settings import settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option("--mqtt", "mqtt_url", default="", metavar="URL", help="Follow OwnTracks here too: mqtt://user:pw@host.")
@click.option("--share-port", is_flag=True, help="Let several gateways listen on this port, one a core.")
def command(*, host: str, port: int, mqtt_url: str, share_port: bool) -> None:
    """Take in positions over HTTP (own format, OwnTracks, OsmAnd/Traccar) and, with --mqtt, over MQTT; and check-ins.

    2xx means that the broker has it. Broker and Redis: FENCELINE_BROKER, FENCELINE_REDIS_URL. A password in an MQTT
    URL is better off in FENCELINE_MQTT_URL than on the command line. Pictures of check-ins: FENCELINE_OBJECT_STORE,
    encrypted under FENCELINE_MASTER_KEY; without a master key check-ins are refused.
    """
    from agents.objectstore import NoMasterKey, vault_of  # noqa: PLC0415
    from gateway.mqtt import BadUrl  # noqa: PLC0415  # Litestar takes half a second; --help need not wait for it
    from gateway.server import serve  # noqa: PLC0415
    from gateway.services import Stuck  # noqa: PLC0415

    logs.configure()
    chosen = settings()
    if mqtt_url:
        chosen = msgspec.structs.replace(chosen, mqtt_url=mqtt_url)
    try:
        keep = vault_of(chosen)
    except NoMasterKey as error:
        keep = None
        structlog.get_logger().info("no_checkins", reason=str(error))
    try:
        uvloop.run(serve(chosen, host, port, share_port=share_port, keep=keep))
    except BadUrl as error:
        raise click.BadParameter(str(error), param_hint="--mqtt") from error
    except Stuck as error:
        raise click.ClickException(f"{error}; the log says more") from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    except asyncio.CancelledError:
        pass
