"""`fenceline tap`: see what goes by on a topic."""

import base64
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import click
import msgspec

from fenceline import logs
from fenceline.conditions import BadCondition, Test, condition
from fenceline.settings import settings

POLL_MS = 500
METADATA_S = 10.0
BOOTSTRAP_MS = 5_000


class _Moment(click.ParamType):
    name = "beginning|now|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in ("beginning", "now") or isinstance(value, datetime):
            return value
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment
        return self.fail(f"{value!r} is no moment; write beginning, now, or one like 2026-11-23T09:30:00Z", param, ctx)


class _Condition(click.ParamType):
    name = "condition"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return condition(value)
        except BadCondition as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("topic")
@click.option("--from", "begin", type=_Moment(), default="now", show_default=True, help="Where to begin.")
@click.option("--where", "conditions", type=_Condition(), multiple=True, help="Only those; may be given again (and).")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many.")
@click.option("--no-follow", is_flag=True, help="End at the end of the topic instead of waiting for more.")
def command(topic: str, begin: Any, conditions: tuple[Test, ...], limit: int | None, no_follow: bool) -> None:
    """See what goes by on TOPIC, one JSON object a line.

    A line has the record's topic, partition, offset, timestamp, key and headers, and its value; of a frame of fixes,
    each has a line of its own. Conditions are about the value, or with a leading underscore about the record:

    \b
        fenceline tap incidents --where type=breach.opened --where 'confidence>=0.9'
        fenceline tap fixes --from beginning --where _key=device-17 --limit 10

    No consumer group is used or left behind.
    """
    from kafka import KafkaConsumer  # noqa: PLC0415  # --help need not wait for it
    from kafka.errors import KafkaError  # noqa: PLC0415

    logs.configure(logging.ERROR)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # complains of sockets that we close; faults are raised
    broker = settings().broker
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=broker.split(","),
            client_id="fenceline-tap",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
            bootstrap_timeout_ms=BOOTSTRAP_MS,
        )
    except KafkaError as error:
        raise click.ClickException(f"no answer from the broker at {broker}: {error}") from error
    try:
        ends = _place(consumer, topic, begin)
        _print(_lines(consumer, begin, ends if no_follow else None), conditions, limit)
    except (KeyboardInterrupt, BrokenPipeError):
        with suppress(OSError):  # whoever read us has gone
            sys.stdout.close()
    except KafkaError as error:
        raise click.ClickException(f"the broker at {broker} failed: {error}") from error
    finally:
        consumer.close(autocommit=False)


def _place(consumer: Any, topic: str, begin: Any) -> dict[Any, int]:
    """Set `consumer` to where `begin` says; where each partition ends now."""
    from kafka import TopicPartition  # noqa: PLC0415

    known = consumer.topics()
    deadline = time.monotonic() + METADATA_S
    while not known and time.monotonic() < deadline:
        known = consumer.topics()
    if topic not in known:
        there = ", ".join(sorted(name for name in known if not name.startswith("__"))) or "none"
        raise click.ClickException(f"there is no topic {topic!r}; there are: {there}")
    places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(places)
    ends: dict[Any, int] = consumer.end_offsets(places)
    if begin == "now":
        for place, offset in ends.items():
            consumer.seek(place, offset)
    elif begin == "beginning":
        consumer.seek_to_beginning(*places)
    else:
        found = consumer.offsets_for_times(dict.fromkeys(places, int(begin.timestamp() * 1000)))
        for place in places:
            consumer.seek(place, found[place].offset if found.get(place) else ends[place])
    return ends


def _lines(consumer: Any, begin: Any, ends: dict[Any, int] | None) -> Iterator[dict[str, Any]]:
    """Records as dicts, for ever, or to `ends` and until a poll comes back empty."""
    since_ms = begin.timestamp() * 1000 if isinstance(begin, datetime) else 0
    while True:
        chunk = consumer.poll(timeout_ms=POLL_MS)
        for records in chunk.values():
            for record in records:
                if record.timestamp >= since_ms:
                    yield from _parts(record)
        if ends is not None and not chunk and all(consumer.position(place) >= end for place, end in ends.items()):
            return


def _parts(record: Any) -> Iterator[dict[str, Any]]:
    line = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
    }
    try:
        value = None if record.value is None else msgspec.json.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        yield {**line, "base64": base64.b64encode(record.value).decode()}
        return
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield {**line, "index": index, "value": one}
    else:
        yield {**line, "value": value}


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="backslashreplace")


def _seen(line: dict[str, Any]) -> dict[str, Any]:
    """What conditions are about: the value's fields, the record's with an underscore before them."""
    value = line.get("value")
    own = value if isinstance(value, dict) else {}
    about = {f"_{name}": part for name, part in line.items() if name not in ("value", "base64")}
    return {**own, **about, **{f"_{name}": part for name, part in line["headers"].items()}}


def _print(lines: Iterator[dict[str, Any]], conditions: Sequence[Test], limit: int | None) -> None:
    count = 0
    for line in lines:
        if all(test(_seen(line)) for test in conditions):
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
            sys.stdout.flush()
            count += 1
            if count == limit:
                return
