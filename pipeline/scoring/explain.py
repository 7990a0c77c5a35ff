"""Where did every point go? An account that adds up from 100 to the score, with a sentence for each line."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pipeline.scoring.restoration import counts
from pipeline.scoring.rules import ScoreRules
from schemas.message import Message, Moment
from schemas.score import ScoreEntry

Language = Literal["en", "zh-CN"]


class AccountLine(Message, frozen=True, kw_only=True):
    """One entry in a person's account. `effect`: what it adds to the score now; the lines add up to score - 100."""

    entry_id: str
    occurred_at: Moment
    effect: int
    en: str
    zh: str


def account(entries: Iterable[ScoreEntry], rules: ScoreRules, as_of: datetime) -> list[AccountLine]:
    """The account of `entries` at `as_of`, by the rules in force then."""
    entries = tuple(entries)
    opens = as_of - timedelta(days=rules.window_days)
    counting = {one.entry_id for one in entries if opens < one.occurred_at <= as_of and counts(one, rules)}
    lines = []
    for one in entries:
        if one.kind == "restoration":
            effect = one.points if one.restores in counting and one.state != "reversed" else 0
        else:
            effect = one.points if one.entry_id in counting else 0
        past = one.occurred_at <= opens
        lines.append(
            AccountLine(
                entry_id=one.entry_id,
                occurred_at=one.occurred_at,
                effect=effect,
                en=sentence(one, effect, past, "en"),
                zh=sentence(one, effect, past, "zh-CN"),
            )
        )
    return lines


def sentence(entry: ScoreEntry, effect: int, past: bool, language: Language) -> str:
    """Why a line has the effect that it has. `past`: it is older than the rolling window."""
    words = _WORDS[language]
    fence = entry.fence_name or entry.fence_id
    what = words[entry.kind].format(
        type=_TYPES.get(entry.incident_type, (entry.incident_type,) * 2)[language == "zh-CN"],
        rule=entry.rule,
        version=entry.rule_version,
        day=entry.local_day,
        fence=words["fence"].format(name=fence) if fence else "",
        points=abs(entry.points),
        base=entry.base_points,
        sum=_sum(entry, words),
    )
    return what + words["stop"] + _standing(entry, effect, past, words)


def _sum(entry: ScoreEntry, words: dict[str, str]) -> str:
    """How the points came about: base, weight and cap."""
    parts = []
    if entry.weight != 1:
        weight = f"{entry.weight:g}"
        key = "weighed" if entry.duration_s is None else "weighed_long"
        minutes = round((entry.duration_s or 0) / 60)
        parts.append(words[key].format(base=entry.base_points, weight=weight, severity=entry.severity, minutes=minutes))
    if entry.capped_from is not None:
        parts.append(words["capped"].format(full=entry.capped_from))
    return "".join(parts)


def _standing(entry: ScoreEntry, effect: int, past: bool, words: dict[str, str]) -> str:
    """What became of it: reversed, out of the window, not yet firm, contested, or counting."""
    if entry.state == "reversed":
        key = f"reversed_{entry.cause or 'officer'}"
    elif past:
        key = "past"
    elif entry.kind == "restoration":
        key = "given" if effect else "not_given"
    elif entry.state == "appealed":
        key = "appealed_counts" if effect else "appealed_rests"
    elif entry.state == "confirmed":
        key = "confirmed_by" if entry.settled_by else "confirmed"
    else:
        key = entry.state
    return words[key].format(by=entry.settled_by, note=entry.note)


_TYPES: dict[str, tuple[str, str]] = {
    "breach.opened": ("a broken fence", "越界"),
    "passage": ("a way through a zone", "穿越禁区"),
    "device.silent": ("a silent device", "设备失联"),
    "device.tamper": ("a device tampered with", "设备被拆动"),
    "device.power_off": ("a device switched off", "设备关机"),
    "device.battery_low": ("a low battery", "电量不足"),
    "device.stuck": ("a position that did not change", "定位长时间不变"),
    "fix.mocked": ("an invented position", "虚假定位"),
    "checkin.missed": ("a missed check-in", "未签到"),
    "identity.doubtful": ("a doubtful identity", "身份存疑"),
    "identity.refuted": ("another person at a check-in", "非本人签到"),
}
"""What is deducted for, in words; other types as they are called on the topic."""

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "stop": ". ",
        "fence": " at {name}",
        "deduction": "{day}: {type}{fence} costs {points} points by clause {rule} of rules {version}{sum}",
        "warning": "{day}: {type}{fence} is a warning by clause {rule} of rules {version}, without points",
        "restoration": "{day}: a week without a deduction gives back {points} points by rules {version}",
        "weighed": " ({base} x {weight} for severity {severity})",
        "weighed_long": " ({base} x {weight} for severity {severity} and {minutes} min)",
        "capped": " (cut from {full} by the cap of the day)",
        "confirmed": "It counts.",
        "confirmed_by": "It counts; confirmed by {by}.",
        "provisional": "It does not count until an officer confirms it.",
        "appealed_counts": "It was contested ({note}) and counts until that is decided.",
        "appealed_rests": "It was contested ({note}) and does not count until that is decided.",
        "upheld": "It was contested; {by} upheld it: {note}.",
        "past": "It is older than the rolling window and no longer counts.",
        "given": "It counts.",
        "not_given": "What it paid back no longer counts, so it does not either.",
        "reversed_corrected": "Later data withdrew it; it does not count.",
        "reversed_not_attributable": "An outage or fault, not the person; it does not count.",
        "reversed_leave": "The person had leave; it does not count.",
        "reversed_officer": "{by} reversed it: {note}.",
        "reversed_appeal": "It was contested; {by} reversed it: {note}.",
        "reversed_identity_confirmed": "A live check showed that it was the person; it does not count.",
        "reversed_recomputed": "Another line has taken its place.",
    },
    "zh-CN": {
        "stop": "。",
        "fence": "（{name}）",
        "deduction": "{day}：{type}{fence}，依规则 {version} 的 {rule} 条扣 {points} 分{sum}",
        "warning": "{day}：{type}{fence}，依规则 {version} 的 {rule} 条警告，不扣分",
        "restoration": "{day}：一周无扣分，依规则 {version} 恢复 {points} 分",
        "weighed": "（{base} × {weight}，级别 {severity}）",
        "weighed_long": "（{base} × {weight}，级别 {severity}，{minutes} 分钟）",
        "capped": "（当日上限，由 {full} 分减为此数）",
        "confirmed": "计入总分。",
        "confirmed_by": "由 {by} 确认，计入总分。",
        "provisional": "待工作人员确认，暂不计入。",
        "appealed_counts": "已申诉（{note}），决定前仍计入。",
        "appealed_rests": "已申诉（{note}），决定前不计入。",
        "upheld": "已申诉，{by} 决定维持：{note}。",
        "past": "已超出计分期，不再计入。",
        "given": "计入总分。",
        "not_given": "所恢复的扣分已不计入，故不再计入。",
        "reversed_corrected": "后续数据已撤销，不计入。",
        "reversed_not_attributable": "属网络或设备故障，与本人无关，不计入。",
        "reversed_leave": "当时已获准请假，不计入。",
        "reversed_officer": "由 {by} 撤销：{note}。",
        "reversed_appeal": "已申诉，{by} 决定撤销：{note}。",
        "reversed_identity_confirmed": "经视频核实为本人，不计入。",
        "reversed_recomputed": "已由另一条目代替。",
    },
}
