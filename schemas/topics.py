"""Which topics there are: name, key, message, and how Kafka keeps them."""

from typing import Any, NamedTuple

from schemas.credential import Credential
from schemas.fix import Fix
from schemas.incident import Incident, Rejection
from schemas.reference import Activation, Fence, Leave, Subject

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

LATENESS_MS = 8 * DAY_MS
"""How far back a late fix is still judged by the rules of its own time: versions of fences, activations and leaves
younger than this are not compacted away."""


class Topic(NamedTuple):
    """A topic. `key`: the field that keys it. `compacted`: the latest per key is kept for ever, else all for
    `retention_ms`. `partitions`: None for as many as the input has (co-partitioned), else a fixed number."""

    name: str
    key: str
    message: Any
    about: str
    compacted: bool = False
    retention_ms: int = 30 * DAY_MS
    partitions: int | None = None

    def config(self) -> dict[str, str]:
        """The topic's settings by Kafka's names, all explicit."""
        if not self.compacted:
            return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        return {
            "cleanup.policy": "compact",
            "min.compaction.lag.ms": str(LATENESS_MS),
            "delete.retention.ms": str(LATENESS_MS),
        }


def _rejected(name: str) -> Topic:
    return Topic(f"{name}.rejected", "source", Rejection, f"input of {name} that could not be used", partitions=1)


FIXES = Topic("fixes", "device_id", Fix | list[Fix], "positions: one fix, or a frame of fixes of one partition")
INCIDENTS = Topic("incidents", "subject_id", Incident, "all that may matter", retention_ms=400 * DAY_MS)
SUBJECTS = Topic("subjects", "subject_id", Subject, "supervised persons", compacted=True)
ACTIVATIONS = Topic(
    "activations", "activation_id", Activation, "which device is on whom; partitioned by device_id", compacted=True
)
FENCES = Topic("fences", "fence_id", Fence, "where to be and where not", compacted=True, partitions=1)
LEAVES = Topic("leaves", "leave_id", Leave, "permission to be elsewhere", compacted=True, partitions=1)
CREDENTIALS = Topic("credentials", "token_id", Credential, "who may speak, for whom", compacted=True, partitions=1)

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        FIXES,
        INCIDENTS,
        SUBJECTS,
        ACTIVATIONS,
        FENCES,
        LEAVES,
        CREDENTIALS,
        _rejected("fixes"),
        _rejected("activations"),
        _rejected("subjects"),
        _rejected("fences"),
        _rejected("leaves"),
    )
}
