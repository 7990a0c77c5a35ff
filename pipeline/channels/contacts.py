"""Who can be reached, how, and in which language? Contacts from rosters and subjects, and the rules in force."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from pipeline.channels.policy import NotifyRules, check_notify_rules
from pipeline.channels.texts import check_texts
from pipeline.rulebook import Rulebook
from schemas.alert import Audience
from schemas.message import Invalid, decode
from schemas.reference import Subject
from schemas.roster import Roster, RuleSet

EVERYBODY = "*"
"""In a roster's contacts: the address that is told when nobody in particular is meant, such as the desk's own."""


class Person(NamedTuple):
    """Somebody to be told. `addresses`: by channel. `language`, `time_zone`: empty where not known."""

    recipient: str
    addresses: Mapping[str, str]
    language: str = ""
    time_zone: str = ""


class Contacts:
    """What the notifier knows; `learn` takes the topics `rosters`, `subjects` and `rules`."""

    def __init__(self, rules: NotifyRules) -> None:
        self.rules: Rulebook[NotifyRules] = Rulebook(NotifyRules, rules, _check)
        self._rosters: dict[str, Roster] = {}
        self._subjects: dict[str, Subject] = {}

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        """Take in a reference record (None: taken back); what is wrong with it, if any, and then nothing changed."""
        name = key.decode(errors="replace")
        try:
            match topic:
                case "subjects":
                    _put(self._subjects, name, None if value is None else decode(value, Subject))
                case "rosters":
                    _put(self._rosters, name, None if value is None else decode(value, Roster))
                case "rules":
                    self._rule_set(name, value)
        except Invalid as error:
            return error
        return None

    def _rule_set(self, name: str, value: bytes | None) -> None:
        if value is None:
            self.rules.forget(name)
            return
        rule_set = decode(value, RuleSet)
        if rule_set.part == "notify":
            self.rules.learn(rule_set)

    def case_of(self, subject_id: str) -> str:
        """The reference by which a person's case is known; the subject's own id where there is none."""
        subject = self._subjects.get(subject_id)
        return subject.case_ref if subject is not None and subject.case_ref else subject_id

    def people(self, audience: Audience, recipient: str, agency: str, subject_id: str) -> list[Person]:
        """Whom a notice means: the one named, or where none is, whoever of the audience can be reached.

        Somebody without any address is returned too: that nobody could be told must not go unseen.
        """
        if audience == "subject":
            return [self._wearer(recipient or subject_id)]
        rosters = sorted(self._rosters.values(), key=lambda one: (one.agency != agency, one.roster_id))
        if recipient:
            return [_named(recipient, rosters)]
        own = [one for one in rosters if one.agency == agency]
        found = _reachable([one for one in own if one.audience == audience]) or _reachable(own)
        return found or [Person("", {})]

    def address(self, audience: Audience, recipient: str, agency: str, subject_id: str, channel: str) -> str:
        """Where a message to `recipient` goes through `channel`; empty when there is no such address (any more)."""
        for person in self.people(audience, "" if recipient.startswith(EVERYBODY) else recipient, agency, subject_id):
            if person.recipient == recipient and channel in person.addresses:
                return person.addresses[channel]
        return ""

    def _wearer(self, subject_id: str) -> Person:
        subject = self._subjects.get(subject_id)
        if subject is None:
            return Person(subject_id, {})
        return Person(subject_id, subject.contacts, subject.language, subject.time_zone)


def _check(rules: NotifyRules) -> None:
    check_notify_rules(rules)
    check_texts(rules)


def _put(known: dict[str, Subject] | dict[str, Roster], name: str, value: Subject | Roster | None) -> None:
    if value is None:
        known.pop(name, None)
    else:
        known[name] = value  # type: ignore[assignment]


def _named(recipient: str, rosters: list[Roster]) -> Person:
    """The addresses of one principal, from all rosters that have some; those of the first count."""
    addresses: dict[str, str] = {}
    language = time_zone = ""
    for roster in rosters:
        if recipient in roster.contacts:
            addresses = {**roster.contacts[recipient], **addresses}
            time_zone = time_zone or roster.time_zone
        language = language or roster.languages.get(recipient, "")
    return Person(recipient, addresses, language, time_zone)


def _reachable(rosters: list[Roster]) -> list[Person]:
    shared = list(_entries(rosters, lambda name: name == EVERYBODY))
    return shared or list(_entries(rosters, lambda _: True))


def _entries(rosters: list[Roster], wanted: Callable[[str], bool]) -> Iterator[Person]:
    seen: set[str] = set()
    for roster in rosters:
        for name in sorted(roster.contacts):
            recipient = f"{EVERYBODY}{roster.roster_id}" if name == EVERYBODY else name
            if wanted(name) and recipient not in seen and roster.contacts[name]:
                seen.add(recipient)
                yield Person(recipient, roster.contacts[name], roster.languages.get(name, ""), roster.time_zone)
