"""`python -m benchmarks.fence_lookup [--quick]`: one JSON object on stdout, progress on stderr.

Every way looks up the same fixes among the same fences; their answers are compared pair by pair. Those over a server
share the machine with it, as a worker would.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import rtree
import shapely

from benchmarks.fence_lookup import server, ways
from benchmarks.fence_lookup.world import World, world
from benchmarks.machine import machine
from fences.atlas import Atlas

FENCES, CORNERS = (100, 1_000, 10_000, 100_000), (8, 200)
BATCH = 10_000


def _libraries() -> dict[str, Any]:
    return {
        "numpy": np.__version__,
        "shapely": shapely.__version__,
        "geos": shapely.geos_version_string,
        "rtree": rtree.__version__,
    }


def _disputed_m(mine: ways.Measured, other: ways.Measured, there: World) -> list[float]:
    """How far from the boundary, metres, the pairs lie that the two disagree about."""
    both = min(mine.fixes, other.fixes)
    disputed = sorted(pair for pair in mine.inside ^ other.inside if pair[0] < both)
    if not disputed:
        return []
    rows, fences = np.array(disputed).T
    atlas = Atlas()
    slots = {number: atlas.put(there.fence(number)) for number in dict.fromkeys(fences.tolist())}
    of = np.array([slots[number] for number in fences.tolist()])
    return np.abs(atlas.signed_distance_m(there.lat[rows], there.lon[rows], of)).tolist()


def _told(measured: ways.Measured) -> dict[str, Any]:
    return {
        "fixes": measured.fixes,
        "fixes_per_s": round(measured.fixes / measured.seconds),
        "us_per_fix": round(measured.seconds / measured.fixes * 1e6, 3),
        "setup_s": round(measured.setup_s, 3),
        "inside": len(measured.inside),
    }


def _compared(fences: int, corners: int, fixes: int, programs: dict[str, str | None]) -> dict[str, Any]:
    there = world(fences, corners, fixes)
    few = min(fixes, 20_000)
    mine = ways.ours(there, fixes, BATCH)
    peers = {
        "rtree_per_point": ways.rtree_per_point(there, few),
        "shapely_bulk": ways.shapely_bulk(there, fixes),
    }
    for name, program in programs.items():
        if program:
            peers[name] = server.look_up_by(program, there, few)
    case: dict[str, Any] = {"fences": fences, "corners": corners, "fenceline": _told(mine)}
    for name, peer in peers.items():
        disputed_m = _disputed_m(mine, peer, there)
        case[name] = _told(peer) | {
            "fenceline_is_faster": round(peer.seconds / peer.fixes / (mine.seconds / mine.fixes), 2),
            "disputed_pairs": len(disputed_m),
            "disputed_farthest_m": round(max(disputed_m, default=0.0), 4),
        }
    click.echo(json.dumps(case), err=True)
    return case


@click.command()
@click.option("--quick", is_flag=True, help="Up to 1,000 fences and fewer fixes.")
def main(quick: bool) -> None:
    """Compare the ways; see the module."""
    with tempfile.TemporaryDirectory() as folder:
        programs = {
            "tile38": server.tile38_program(),
            "tile38_libraries": server.peer_program(Path(folder)),
        }
        cases = [
            _compared(fences, corners, 20_000 if quick else 200_000, programs)
            for corners in CORNERS
            for fences in (FENCES[:2] if quick else FENCES)
        ]
    missing = {
        "tile38": "not measured: no tile38-server on the path, nor named by TILE38_SERVER",
        "tile38_libraries": "not measured: no Go to build benchmarks/fence_lookup/peer",
    }
    notes = {name: why for name, why in missing.items() if not programs[name]}
    result = {
        "what": "fixes looked up among fences; fenceline gives signed metres, the others inside or not",
        "batch": BATCH,
        "pipeline": server.PIPELINE,
        "machine": machine() | _libraries(),
        "notes": notes,
        "cases": cases,
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
