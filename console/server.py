"""How is the console served? One process, one event loop, until SIGTERM."""

from console.app import create_app
from console.services import services_of
from fenceline.settings import Settings
from gateway.server import listening_at, serve_app
from gateway.services import Stuck


async def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; live streams end at once, what was asked is still answered.

    Raises:
        OSError: the address cannot be listened on.
        Stuck: a part of it failed; start it anew.
    """
    with listening_at(host, port) as listening:
        services = services_of(settings)
        await serve_app(create_app(services), listening, services.drain)
        if services.fault is not None:
            raise Stuck(str(services.fault)) from services.fault
