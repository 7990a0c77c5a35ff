"""What became of a check-in? The topic `checkin-results`, followed; the last day of it is kept here."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

import structlog

from gateway.following import TopicFollower
from gateway.services import Services
from schemas.checkin import CheckinResult
from schemas.message import Invalid, decode
from schemas.topics import CHECKIN_RESULTS

log = structlog.get_logger()

BACK = timedelta(days=1)
MOST = 100_000


class Results:
    """The latest results by check-in, and of each person the latest."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._by_id: OrderedDict[str, CheckinResult] = OrderedDict()
        self._of_person: dict[str, CheckinResult] = {}

    def of(self, checkin_id: str) -> CheckinResult | None:
        """What became of a check-in; None: not known (yet)."""
        return self._by_id.get(checkin_id)

    def retry_at(self, subject_id: str) -> datetime | None:
        """When a person may try again, as its latest result says; None: at once."""
        latest = self._of_person.get(subject_id)
        return latest.retry_at if latest is not None else None

    def learn(self, raw: bytes | None) -> None:
        """Take in a record.

        Raises:
            Invalid: it is none.
        """
        result = decode(raw or b"", CheckinResult)
        self._by_id[result.checkin_id] = result
        self._by_id.move_to_end(result.checkin_id)
        latest = self._of_person.get(result.subject_id)
        if latest is None or latest.at <= result.at:
            self._of_person[result.subject_id] = result
        while len(self._by_id) > MOST:
            _, old = self._by_id.popitem(last=False)
            if self._of_person.get(old.subject_id) is old:
                del self._of_person[old.subject_id]

    async def follow(self, services: Services) -> None:
        """Read for as long as the gateway runs."""
        await TopicFollower(self._broker, CHECKIN_RESULTS.name, self._take, lambda: services.now() - BACK).follow()

    def _take(self, record: Any) -> None:
        try:
            self.learn(record.value)
        except Invalid as why:
            log.warning("result_unusable", offset=record.offset, reason=why.reason)
