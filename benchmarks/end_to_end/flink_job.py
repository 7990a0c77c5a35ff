"""The peer on PyFlink, run by the Python of an environment of its own: one rtree lookup a message, a hit is sent on.

``flink/bin/python flink_job.py BROKER FENCES.geojson TOPIC JARS``; TOPIC holds single fixes or frames.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.functions import FlatMapFunction

broker, fences_file, topic, jars = sys.argv[1:5]


class LookUp(FlatMapFunction):  # type: ignore[misc]
    def open(self, context: Any) -> None:
        from rtree import index  # noqa: PLC0415  # where the function runs, not where the job is made
        from shapely import Polygon, prepare  # noqa: PLC0415

        features = json.loads(Path(fences_file).read_text())["features"]
        self.shapes = [Polygon(feature["geometry"]["coordinates"][0]) for feature in features]
        for shape in self.shapes:
            prepare(shape)
        self.tree = index.Index((number, shape.bounds, None) for number, shape in enumerate(self.shapes))

    def flat_map(self, value: str) -> Any:
        from shapely import Point  # noqa: PLC0415

        read = json.loads(value)
        for fix in read if isinstance(read, list) else [read]:
            lon, lat = fix["lon"], fix["lat"]
            for number in self.tree.intersection((lon, lat, lon, lat)):
                if self.shapes[number].contains(Point(lon, lat)):
                    yield json.dumps({"device_id": fix["device_id"], "at": fix["fix_time"], "fence": number})


def main() -> None:
    settings = Configuration()
    settings.set_string("pipeline.jars", ";".join(f"file://{jar}" for jar in Path(jars).glob("*.jar")))
    settings.set_string("python.executable", sys.executable)
    settings.set_string("execution.checkpointing.interval", "500ms")  # offsets are committed with them
    environment = StreamExecutionEnvironment.get_execution_environment(settings)
    environment.set_parallelism(1)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(broker)
        .set_topics(topic)
        .set_group_id("flink")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(broker)
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic("hits")
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .set_delivery_guarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .build()
    )
    fixes = environment.from_source(source, WatermarkStrategy.no_watermarks(), "fixes")
    fixes.flat_map(LookUp(), Types.STRING()).sink_to(sink)
    environment.execute("lookup")


main()
