"""Which figures decide? The rules of whereabouts and devices, as a supervisor may draft them in YAML.

    verdict: {open_at: 0.995, tolerance_m: 15}
    silence: {factor: 4}
    fences:
      home-12: {buffer_m: 30, severity: high}
      "*": {confirm: {fixes: 2, span_s: 30}}

Every part and figure may be left out, and is then as it comes. An unknown word is refused, so that a slip of the pen is
not a rule that never applies.
"""

import re
from hashlib import sha256

import msgspec
import yaml

from fences.evidence import VerdictRule
from fences.schedule import compile_schedule
from fences.shape import compile_shape
from fences.tracker import MotionModel
from pipeline.health import HealthRule
from pipeline.hearing import SilenceRule
from pipeline.outage import OutageRule
from pipeline.rulebook import convert_rules
from pipeline.vitals import VitalRules
from schemas.message import Invalid
from schemas.reference import Confirm, Fence, Schedule, Severity

ALL = "*"


class FenceDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a draft changes of a fence; what is not named stays. `judged`: false leaves the fence out."""

    judged: bool = True
    buffer_m: float | None = None
    confirm: Confirm | None = None
    schedule: Schedule | None = None
    severity: Severity | None = None


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. `fences`: by fence_id, or ``*`` for those not named."""

    verdict: VerdictRule = VerdictRule()
    motion: MotionModel = MotionModel()
    silence: SilenceRule = SilenceRule()
    health: HealthRule = HealthRule()
    outage: OutageRule = OutageRule()
    fences: dict[str, FenceDraft] = {}

    @property
    def vitals(self) -> VitalRules:
        """Those about devices."""
        return VitalRules(silence=self.silence, health=self.health, outage=self.outage)

    @property
    def version(self) -> str:
        """A name for exactly these rules, which incidents carry; empty for those that come with the program."""
        if self == Rules():
            return ""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:12]


def read(text: str) -> Rules:
    """The rules in a YAML text; an empty one changes nothing.

    Raises:
        Invalid: not YAML, an unknown word or part, a value that cannot be, with the field's name.
    """
    if not any(line.split("#")[0].strip(" -.") for line in text.splitlines()):
        return Rules()
    try:
        body = yaml.load(text, Loader=_Plain)  # noqa: S506  # it is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "$"
        raise Invalid(f"not YAML: {getattr(error, 'problem', error)}", where) from error
    rules: Rules = convert_rules(body, Rules)
    _check(rules)
    return rules


class _Plain(yaml.SafeLoader):
    """YAML in which 21:00 is text, not the number 1260, and 2026-12-25 is text, not a date."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if not tag.endswith((":timestamp", ":int"))]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Plain.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))


def _check(rules: Rules) -> None:
    if not 0 < rules.verdict.close_at < rules.verdict.open_at < 1:
        raise Invalid("must be above close_at, and both between 0 and 1", "$.verdict.open_at")
    if rules.silence.shortest_s > rules.silence.longest_s:
        raise Invalid("must not be above longest_s", "$.silence.shortest_s")
    if rules.health.low_pct > rules.health.rearm_pct:
        raise Invalid("must not be above rearm_pct", "$.health.low_pct")
    for name in rules.motion.__struct_fields__:
        value = getattr(rules.motion, name)
        if not (value > 0 or (value == 0 and name in ("jitter_share", "wander", "learn"))):
            raise Invalid("must be above 0", f"$.motion.{name}")
    for name, draft in rules.fences.items():
        if draft.schedule is not None:
            compile_schedule(draft.schedule, f"$.fences.{name}.schedule")
        if draft.buffer_m is not None and not 0 <= draft.buffer_m <= 1e6:
            raise Invalid("must be from 0 to 1000000", f"$.fences.{name}.buffer_m")


def drafted(fence: Fence, rules: Rules) -> Fence | None:
    """`fence` as the rules have it; None when they leave it out.

    Raises:
        Invalid: the fence has no inside with that buffer.
    """
    own = fence.properties
    draft = rules.fences.get(own.fence_id) or rules.fences.get(ALL)
    if draft is None:
        return fence
    if not draft.judged:
        return None
    named = {
        name: value
        for name in ("buffer_m", "confirm", "schedule", "severity")
        if (value := getattr(draft, name)) is not None
    }
    changed = msgspec.structs.replace(fence, properties=msgspec.structs.replace(own, **named))
    if "buffer_m" in named:
        compile_shape(changed)
    return changed
