"""How does the gateway run? uvicorn on uvloop; on SIGTERM it answers what it has taken, then ends."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from litestar import Litestar

from fenceline.settings import Settings
from gateway.app import create_app
from gateway.callbacks import callback_routes
from gateway.checkins import checkin_routes
from gateway.mqtt import mqtt_source
from gateway.reception import Keep, Reception
from gateway.services import Background, Stuck, services_of

log = structlog.get_logger()

DRAIN_S = 20
BACKLOG = 2048
KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    """uvicorn, whose end we decide."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: `serve` has handlers of its own, and a signal is a wish to end, not a death."""
        yield


async def serve(
    settings: Settings, host: str, port: int, *, share_port: bool = False, keep: Keep | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. `share_port`: other gateways may listen on it too, and the system deals out.
    `keep`: where pictures of check-ins go; without it check-ins are refused.

    Raises:
        OSError: `host` and `port` cannot be listened on.
        Stuck: a part of it failed; start it anew.
        BadUrl: the setting `mqtt_url` cannot be used.
    """
    with listening_at(host, port, share_port=share_port) as listening:
        services = services_of(settings)
        source = mqtt_source(settings.mqtt_url, services) if settings.mqtt_url else None
        reception = Reception(services, keep)
        beside: list[Background] = [reception.run, *([source.run] if source else [])]
        app = create_app(services, [*callback_routes(settings), *checkin_routes(reception)], beside=beside)
        await serve_app(app, listening, services.drain)
        if services.fault is not None:
            raise Stuck(str(services.fault)) from services.fault


def listening_at(host: str, port: int, *, share_port: bool = False) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the address cannot be listened on.
    """
    return socket.create_server((host, port), backlog=BACKLOG, family=_family(host), reuse_port=share_port)


async def serve_app(app: Litestar, listening: socket.socket, drain: Callable[[], None]) -> None:
    """Serve `app` until SIGTERM or SIGINT; `drain` is told when the end begins."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = _Server(config)

    def end() -> None:
        drain()
        server.should_exit = True
        log.info("server_drains")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    host, port = listening.getsockname()[:2]
    log.info("server_listens", host=host, port=port)
    await server.serve(sockets=[listening])
    log.info("server_ended")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
