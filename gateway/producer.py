"""How do we write to the broker? acks=all always, and idempotently where the broker can."""

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from gateway.frames import MAX_BYTES

log = structlog.get_logger()


def _producer(broker: str, request_timeout_s: float, *, idempotent: bool) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=broker,
        acks="all",
        enable_idempotence=idempotent,
        max_batch_size=2 * MAX_BYTES,
        max_request_size=4 * MAX_BYTES,
        request_timeout_ms=int(request_timeout_s * 1000),
    )


async def started_producer(broker: str, request_timeout_s: float) -> AIOKafkaProducer:
    """A producer that has reached `broker`.

    Idempotent, so that a retry after a lost answer leaves no second frame; the embedded broker cannot do that, and
    then a retry may leave one, which is harmless. Order per partition holds either way: aiokafka has one batch of a
    partition on its way at a time.

    Raises:
        KafkaError, OSError: the broker is not to be reached.
    """
    try:
        return await _started(_producer(broker, request_timeout_s, idempotent=True))
    except KafkaConnectionError:
        raise
    except KafkaError as error:
        log.info("broker_without_idempotence", error=type(error).__name__)
        return await _started(_producer(broker, request_timeout_s, idempotent=False))


async def _started(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer
