"""What does the rule over check-ins know beside a person's state? Whose person it is, the rules, and how seeds open."""

from collections.abc import Callable
from datetime import datetime

from pipeline.identity.rules import IdentityRules
from schemas.message import Invalid, decode
from schemas.reference import Subject

OpenSeed = Callable[[str, bytes], bytes]
"""Of a plan's id and its sealed seed: the seed. Raises `Invalid`."""

NameRoom = Callable[[str], str]
"""Of an incident's id: the name of the room for its video check, which nobody can guess."""


def no_seed(plan_id: str, sealed: bytes) -> bytes:  # noqa: ARG001
    """For installations without a master key."""
    raise Invalid("the seed cannot be opened without the master key", "$.sampling.sealed")


class Known:
    """Kept from the topic `subjects`; the rest comes with the worker's settings."""

    def __init__(
        self, rules: IdentityRules | None = None, open_seed: OpenSeed = no_seed, name_room: NameRoom = str
    ) -> None:
        self.rules = rules or IdentityRules()
        self._open_seed = open_seed
        self._name_room = name_room
        self._seeds: dict[tuple[str, bytes], bytes] = {}
        self.agencies: dict[str, str] = {}

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        """Take in a reference record (None: withdrawn); what is wrong with it, if anything is."""
        try:
            if topic != "subjects":
                return Invalid(f"{topic} is no reference topic of check-ins")
            if value is None:
                self.agencies.pop(key.decode(errors="replace"), None)
            else:
                subject = decode(value, Subject)
                self.agencies[subject.subject_id] = subject.agency
        except Invalid as why:
            return why
        return None

    def agency_of(self, subject_id: str, told: str = "") -> str:
        """Whose person it is: as the topic says, else as `told`."""
        return self.agencies.get(subject_id, told)

    def seed(self, plan_id: str, sealed: bytes, seed: str) -> bytes:
        """The seed of a plan, in the open or sealed.

        Raises:
            Invalid: it cannot be opened.
        """
        if seed:
            return bytes.fromhex(seed)
        if (plan_id, sealed) not in self._seeds:
            self._seeds[plan_id, sealed] = self._open_seed(plan_id, sealed)
        return self._seeds[plan_id, sealed]

    def join_link(self, incident_id: str) -> str:
        """Where the video check for an incident takes place."""
        return self.rules.video_link.replace("{room}", self._name_room(incident_id))
