"""The judgement of Tile38: each fix asked over its protocol, by the order of arrival; in and out are enter and exit.

The server is Tile38's own where there is one (TILE38_SERVER or the path), else the one that is built from its libraries
by the Go on this machine: the same geometry and tree behind the same protocol. Either is given each zone by SET and
says by INTERSECTS which ones a fix lies in; a fence of Tile38 tells `enter` and `exit` when that answer changes.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from benchmarks.alarm_quality.peers import naive
from benchmarks.alarm_quality.people import Life, Zone
from benchmarks.alarm_quality.receivers import Reports
from benchmarks.alarm_quality.score import Alarm
from benchmarks.alarm_quality.world import degrees
from benchmarks.fence_lookup.server import PIPELINE, command, peer_program, reply, running, tile38_program


class Tile38:
    """A running server; `name` says which it is."""

    def __init__(self, name: str, connection: Any, stream: Any) -> None:
        self.name, self._connection, self._stream = name, connection, stream

    def judge(self, life: Life, reports: Reports) -> list[Alarm]:
        """Alarms of a device on `life`, for all of its zones."""
        self._ask([command("SET", life.name, zone.name, "OBJECT", json.dumps(drawn(zone))) for zone in life.zones])
        there = degrees(reports.places)
        answers = self._ask(
            [
                command("INTERSECTS", life.name, "LIMIT", "100", "IDS", "OBJECT",
                        f'{{"type":"Point","coordinates":[{lon!r},{lat!r}]}}')
                for lat, lon in there.tolist()
            ]
        )  # fmt: skip
        found = []
        for zone in life.zones:
            inside = np.array([zone.name in answer[1] for answer in answers])
            found += naive(f"{life.name}-{zone.name}", reports, np.where(inside == zone.keep_out, 1.0, -1.0))
        self._ask([command("DROP", life.name)])
        return found

    def _ask(self, commands: list[bytes]) -> list[Any]:
        replies = []
        for first in range(0, len(commands), PIPELINE):
            some = commands[first : first + PIPELINE]
            self._connection.sendall(b"".join(some))
            replies += [reply(self._stream) for _ in some]
        return replies


@contextmanager
def server() -> Iterator[Tile38 | None]:
    """Tile38, or what is built from its libraries; None where there is neither."""
    with tempfile.TemporaryDirectory() as folder:
        own = tile38_program()
        program = own or peer_program(Path(folder))
        if program is None:
            yield None
            return
        with running(program) as connection, connection.makefile("rb") as stream:
            yield Tile38("tile38" if own else "tile38_libraries", connection, stream)


def drawn(zone: Zone) -> dict[str, Any]:
    """The zone as a polygon, for Tile38 knows no lines with a width."""
    edge = zone.shape
    if zone.buffer_m:
        edge = shapely.get_coordinates(shapely.LineString(zone.shape).buffer(zone.buffer_m, 64).exterior)
    ring = [[lon, lat] for lat, lon in degrees(edge).tolist()]
    return {"type": "Polygon", "coordinates": [[*ring[:-1], ring[0]]]}
