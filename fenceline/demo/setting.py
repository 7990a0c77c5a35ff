"""What the demo tells the system before it starts: subjects, activations, fences, and a token for each phone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_urlsafe

from aiokafka import AIOKafkaProducer

from fenceline.demo.town import Town
from gateway.frames import partition_of
from pipeline.credentials import digest, token_text
from schemas.credential import Credential
from schemas.message import Message, encode
from schemas.roster import Roster
from schemas.times import instant
from schemas.topics import ACTIVATIONS, CREDENTIALS, FENCES, ROSTERS, SUBJECTS


def _tokens(town: Town) -> tuple[dict[str, str], list[Credential]]:
    tokens, credentials = {}, []
    for person in town.people:
        token_id, secret = f"demo{person.number:04d}", token_urlsafe(32)
        tokens[person.device_id] = token_text(token_id, secret)
        credentials.append(
            Credential(
                token_id=token_id,
                principal=person.device_id,
                role="device",
                device_ids=(person.device_id,),
                secret_sha256=digest(secret),
                created_at=instant(datetime.now(UTC)),
            )
        )
    return tokens, credentials


async def introduce(
    town: Town, rosters: Sequence[Roster], broker: str, partitions: int, started_at: datetime
) -> dict[str, str]:
    """Write everything about the town and who is on duty to the reference topics; returns each device_id's token."""
    tokens, credentials = _tokens(town)
    messages: list[tuple[str, str, Message, int | None]] = [
        *((SUBJECTS.name, one.subject_id, one, None) for one in town.subjects()),
        *((FENCES.name, one.properties.fence_id, one, None) for one in town.fences(started_at)),
        *((ROSTERS.name, one.roster_id, one, None) for one in rosters),
        *((CREDENTIALS.name, one.token_id, one, None) for one in credentials),
        *(
            (ACTIVATIONS.name, one.activation_id, one, partition_of(one.device_id, partitions))
            for one in town.activations(started_at)
        ),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
    await producer.start()
    try:
        for topic, key, message, partition in messages:
            await producer.send(topic, encode(message), key=key.encode(), partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    return tokens
