"""Which credentials hold? The topic `credentials`, read to its end at the start and followed from there."""

from typing import Any

import structlog

from gateway.following import TopicFollower
from gateway.metrics import Metrics, Name
from pipeline.credentials import Keyring
from schemas.message import Invalid
from schemas.topics import CREDENTIALS

log = structlog.get_logger()


class KeyReader(TopicFollower):
    """Keeps a `Keyring` as the topic has it; what it knows stays in force while the broker is away."""

    def __init__(self, broker: str, keyring: Keyring, metrics: Metrics) -> None:
        super().__init__(broker, CREDENTIALS.name, self._learn)
        self._keyring = keyring
        self._metrics = metrics

    def _learn(self, record: Any) -> None:
        try:
            self._keyring.learn(record.key or b"", record.value)
        except Invalid as why:
            log.warning("credential_unusable", offset=record.offset, reason=why.reason, field=why.field)
        self._metrics.set(Name.CREDENTIALS, len(self._keyring))
