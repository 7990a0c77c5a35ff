"""How are credentials written and read once? For the commands that issue, revoke and list tokens."""

import asyncio
from types import TracebackType

from aiokafka import AIOKafkaProducer

from gateway.keys import KeyReader
from gateway.metrics import Metrics
from pipeline.credentials import Keyring
from schemas.credential import Credential
from schemas.message import encode
from schemas.topics import CREDENTIALS

TIMEOUT_S = 20.0


class KeyStore:
    """The topic `credentials`, for the length of an `async with`."""

    def __init__(self, broker: str) -> None:
        self._broker = broker

    async def __aenter__(self) -> "KeyStore":
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._broker, acks="all", request_timeout_ms=int(TIMEOUT_S * 1000)
        )
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def write(self, credential: Credential) -> None:
        """Write one credential; returns when the broker has it.

        Raises:
            KafkaError: it has not.
        """
        headers = [("id", credential.token_id.encode()), ("src", b"token"), ("type", b"Credential")]
        await self._producer.send_and_wait(
            CREDENTIALS.name, encode(credential), key=credential.token_id.encode(), headers=headers
        )

    async def read(self) -> Keyring:
        """All credentials as they stand.

        Raises:
            TimeoutError: the end of the topic was not reached in time.
        """
        keyring = Keyring()
        reader = KeyReader(self._broker, keyring, Metrics())
        reader.start()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await reader.caught_up.wait()
        finally:
            await reader.stop()
        return keyring
