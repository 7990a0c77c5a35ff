from typing import Any

import jsonschema
import msgspec
import pytest

from schemas.asyncapi import asyncapi_document
from schemas.fix import Fix
from schemas.incident import Incident, Rejection
from schemas.message import encode
from schemas.times import parse
from schemas.topics import TOPICS

DOCUMENT = msgspec.json.decode(msgspec.json.encode(asyncapi_document()))


def _refs(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for value in node.values() for ref in _refs(value)]
    return [ref for value in node for ref in _refs(value)] if isinstance(node, list) else []


def _at(ref: str) -> Any:
    node = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        node = node[part]
    return node


def schema_of(topic: str) -> dict[str, Any]:
    """The JSON Schema of a topic's values, complete in itself."""
    return {**DOCUMENT["components"]["messages"][topic]["payload"], "components": DOCUMENT["components"]}


def test_every_reference_leads_somewhere() -> None:
    assert [_at(ref) for ref in _refs(DOCUMENT)]


def test_every_topic_is_a_channel_with_its_key_and_its_settings() -> None:
    assert DOCUMENT["channels"].keys() == TOPICS.keys()
    for name, topic in TOPICS.items():
        binding = DOCUMENT["channels"][name]["bindings"]["kafka"]
        assert binding["topic"] == name
        assert binding["topicConfiguration"]["cleanup.policy"] == (["compact"] if topic.compacted else ["delete"])
        assert binding.get("partitions") == topic.partitions
        assert DOCUMENT["components"]["messages"][name]["bindings"]["kafka"]["key"]["description"] == topic.key


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


AT = parse("2026-11-23T09:30:00.125Z")
FIX = Fix(device_id="d", fix_time=AT, lat=1, lon=2)
INCIDENT = Incident(
    incident_id="i", type="device.sos", subject_id="s", occurred_at=AT, detected_at=AT, evidence={"a": 1}
)
REJECTION = Rejection(
    rejection_id="r", source="fixes/0@1", reason="why", rejected_at=AT, raw=b"\xff", raw_size=1, raw_sha256="0" * 64
)


@pytest.mark.parametrize(
    ("topic", "message"),
    [("fixes", FIX), ("fixes", [FIX, FIX]), ("incidents", INCIDENT), ("fixes.rejected", REJECTION)],
)
def test_what_is_written_fits_its_schema(topic: str, message: Any) -> None:
    jsonschema.validate(msgspec.json.decode(encode(message)), schema_of(topic))


def test_what_lacks_a_required_field_does_not_fit() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"device_id": "d", "fix_time": str(AT), "lon": 2}, schema_of("fixes"))
