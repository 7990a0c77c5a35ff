"""Under which names does the read model lie? Tables of documents, and indexes over them.

A table is a map from an id to a document (JSON); an index a sorted set of members with a score. In Redis a table is a
hash, an index a sorted set, both under `PREFIX`. Who writes (`agents.project`) and who reads (`console.reading`) know
these names and no others.

| table | key | document |
| --- | --- | --- |
| alerts, tasks, messages | its id | the latest `Alert`, `Task`, `Notification` |
| incidents | incident_id | `Incident` |
| breaches | breach_id | `pipeline.readmodel.facts.Breach` |
| devices | device_id | `pipeline.readmodel.facts.Device` |
| subjects, scores | subject_id | `Subject` without contacts, `Score` |
| activations, leaves, outages | its id | the latest |
| ledger:<subject_id> | entry_id | the latest `ScoreEntry` |
| fences | fence_id | the latest `Fence` |
| versions:<fence_id> | version | `FenceVersion` |
| rules | rule_set_id | `RuleSet` |
| results | command_id | `CommandResult` |
| plans | subject_id | `CheckinPlan` without what is drawn |
| calls | slot_id | the latest `CheckinCall` |

Members that name two things join them with `JOINT`. An index ``of:<table>:<subject_id>`` lists a person's documents.
"""

PREFIX = "fl:m:"
JOINT = "\x1f"

AGENCIES = "agencies"
"""All agencies that have, or had, people."""
LEAVES_ASKED = "leaves-asked"
TIMELINE = "timeline"

POSITIONS = PREFIX + "positions"
"""Hash: device_id to `pipeline.readmodel.positions.Position`, packed."""
CHANGES = PREFIX + "changes"
"""Stream: what changed, for who follows; its ids resume."""
CHANGES_KEPT = 100_000
MOVED = PREFIX + "moved"
"""Channel: devices that moved, packed as `pipeline.readmodel.positions` says. Not kept."""
EPOCH = PREFIX + "epoch"
"""A name given when the model was begun; another, or none: it was emptied, and is to be filled anew."""
BEGINNING = PREFIX + "beginning"
"""Held by whoever sweeps away the model before, to begin a new one."""
VERSION = 1
"""Of the tables, indexes and documents. Raise it whenever they change: a model of an older version is made anew."""
FILLED = PREFIX + "filled"
"""The epoch whose filling had come to the ends of the topics."""

DAY_S = 86_400
KEPT_DAYS = {
    "alerts": 100,
    "tasks": 100,
    "incidents": 35,
    "breaches": 100,
    "messages": 100,
    "results": 8,
    "leaves": 400,
    "activations": 400,
    "outages": 35,
    "calls": 35,
}
"""How long documents are kept after they are over; the topics keep more."""
TIMELINE_DAYS = 100
TRACK_DAYS = 31


def epoch_name(name: str, version: int = VERSION) -> str:
    """The name of a model, with its version."""
    return f"{name}{JOINT}{version}"


def version_of(epoch: str) -> int:
    """The version of a model by its name, 0: from before there were any."""
    version = epoch.partition(JOINT)[2]
    return int(version) if version.isdecimal() else 0


def index(name: str, of: str = "") -> str:
    """The name of an index, of an agency or a subject."""
    return f"{name}:{of}"


def of_subject(table: str, subject_id: str) -> str:
    """The index of a person's documents in `table`."""
    return f"of:{table}:{subject_id}"


def age(table: str) -> str:
    """The index of documents that are over, by when; what is older than `KEPT_DAYS` goes."""
    return f"age:{table}"


def ledger(subject_id: str) -> str:
    """The table of a person's entries."""
    return f"ledger:{subject_id}"


def versions(fence_id: str) -> str:
    """The table of a fence's versions."""
    return f"versions:{fence_id}"


def table_key(table: str) -> str:
    """The Redis key of a table."""
    return f"{PREFIX}t:{table}"


def index_key(name: str) -> str:
    """The Redis key of an index."""
    return f"{PREFIX}i:{name}"


def offset_key(topic: str, partition: int) -> str:
    """The Redis key that says which offset of a partition is projected next."""
    return f"{PREFIX}at:{topic}/{partition}"


def track_key(device_id: str, day: int) -> str:
    """The Redis key of a device's way on a day (days since 1970, UTC)."""
    return f"{PREFIX}track:{device_id}:{day}"


def joined(first: str, second: str) -> str:
    """A member that names two things."""
    return f"{first}{JOINT}{second}"
