"""How is what travels described to others? As an AsyncAPI 3 document of all topics, from the types that decode them."""

from inspect import cleandoc
from typing import Any

import msgspec

from schemas.topics import TOPICS, Topic

BINDING_VERSION = "0.5.0"

HEADERS = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "what makes the event the same event; a repeat has the same"},
        "src": {"type": "string", "description": "which part wrote it: agent/partition, or the way in"},
        "type": {"type": "string", "description": "the message's name in this document"},
    },
}


def asyncapi_document(topics: dict[str, Topic] | None = None) -> dict[str, Any]:
    """The document, as plain dicts and lists; `topics`: others than all."""
    listed = list((TOPICS if topics is None else topics).values())
    payloads, schemas = msgspec.json.schema_components(
        [topic.message for topic in listed], ref_template="#/components/schemas/{name}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Fenceline",
            "version": "1.0.0",
            "description": "Every event of Fenceline is a record on one of these topics, as JSON. Unknown fields are "
            "ignored, missing required ones refused. Times are RFC 3339 in UTC with milliseconds.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in listed},
        "operations": {
            f"read-{topic.name}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.about,
            }
            for topic in listed
        },
        "components": {
            "messages": {topic.name: _message(topic, payload) for topic, payload in zip(listed, payloads, strict=True)},
            "schemas": {name: _told(schema) for name, schema in schemas.items()},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    binding: dict[str, Any] = {"topic": topic.name, "bindingVersion": BINDING_VERSION}
    if topic.partitions is not None:
        binding["partitions"] = topic.partitions
    known: dict[str, Any] = {"cleanup.policy": config["cleanup.policy"].split(",")}
    known |= {name: int(config[name]) for name in ("retention.ms", "delete.retention.ms") if name in config}
    rest = {name: value for name, value in config.items() if name not in known}
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {"kafka": {**binding, "topicConfiguration": known}},
        "x-kafka-configuration": rest,
    }


def _message(topic: Topic, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": topic.name,
        "summary": topic.about,
        "contentType": "application/json",
        "payload": payload,
        "headers": HEADERS,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    if "description" in schema:
        schema = {**schema, "description": cleandoc(schema["description"])}
    return schema
