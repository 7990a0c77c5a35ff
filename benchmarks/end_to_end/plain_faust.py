"""A plain Faust agent: JSON by Faust's own codec, one rtree lookup a message, a hit is sent on.

``python -m benchmarks.end_to_end.plain_faust BROKER FENCES.geojson TOPIC worker``; TOPIC holds single fixes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import faust
from rtree import index
from shapely import Point, Polygon, prepare

broker, fences_file, topic = sys.argv[1:4]
app = faust.App(
    "plain-faust",
    broker=f"kafka://{broker}",
    web_enabled=False,
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=0.5,
)
SOURCE = app.topic(topic, value_serializer="json", value_type=None)
HITS = app.topic("hits", value_serializer="json")

shapes = [
    Polygon(feature["geometry"]["coordinates"][0]) for feature in json.loads(Path(fences_file).read_text())["features"]
]
for shape in shapes:
    prepare(shape)
tree = index.Index((number, shape.bounds, None) for number, shape in enumerate(shapes))


@app.agent(SOURCE)
async def look_up(fixes: Any) -> None:
    async for fix in fixes:
        lon, lat = fix["lon"], fix["lat"]
        for number in tree.intersection((lon, lat, lon, lat)):
            if shapes[number].contains(Point(lon, lat)):
                await HITS.send(value={"device_id": fix["device_id"], "at": fix["fix_time"], "fence": number})


if __name__ == "__main__":
    sys.argv = ["plain-faust", "worker", "--without-web", "-l", "error"]
    app.main()
