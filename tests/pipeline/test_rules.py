"""The figures that decide, as a supervisor drafts them."""

import pytest

from pipeline.rules import Rules, drafted, read
from schemas.message import Invalid
from schemas.reference import Window
from tests.support.ground import fence, point

HOME = fence(point(120.0, 30.0), "home-1", buffer_m=80.0, severity="low")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}"])
def test_a_draft_that_says_nothing_changes_nothing(text: str) -> None:
    assert read(text) == Rules()
    assert read(text).version == ""


def test_parts_and_figures_not_named_stay() -> None:
    rules = read("verdict: {open_at: 0.995}\nsilence:\n  factor: 5\n")
    assert (rules.verdict.open_at, rules.verdict.close_at) == (0.995, Rules().verdict.close_at)
    assert rules.vitals.silence.factor == 5
    assert rules.version not in ("", read("verdict: {open_at: 0.98}").version)
    assert rules.version == read("silence: {factor: 5}\nverdict: {open_at: 0.995}").version


def test_a_fence_is_changed_by_its_name_or_with_all() -> None:
    rules = read('fences: {home-1: {buffer_m: 120}, "*": {severity: critical}, gone: {judged: false}}')
    own = drafted(HOME, rules)
    assert own is not None
    assert (own.properties.buffer_m, own.properties.severity) == (120.0, "low")
    other = drafted(fence(point(120.0, 30.0), "home-2", buffer_m=80.0), rules)
    assert other is not None
    assert other.properties.severity == "critical"
    assert drafted(fence(point(120.0, 30.0), "gone", buffer_m=80.0), rules) is None
    assert drafted(HOME, Rules()) is HOME


def test_dates_and_times_of_day_need_no_quotes() -> None:
    """In YAML 1.1, 21:00 is the number 1260, and 2026-12-25 a date."""
    windows = "windows: [{start: 21:00, end: 06:00}], exceptions: [2026-12-25]"
    rules = read(f"fences: {{home-1: {{schedule: {{time_zone: UTC, {windows}}}}}}}")
    schedule = rules.fences["home-1"].schedule
    assert schedule is not None
    assert schedule.windows[0] == Window(start="21:00", end="06:00")
    assert schedule.exceptions == ("2026-12-25",)


def test_a_buffer_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="no inside"):
        drafted(HOME, read("fences: {home-1: {buffer_m: 0}}"))


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("verdict: {open_at: [", "line 1", "YAML"),
        ("- 1", "$", "object"),
        ("verdicts: {}", "$", "verdicts"),
        ("verdict: {openat: 0.9}", "$.verdict", "openat"),
        ("verdict: {open_at: high}", "$.verdict.open_at", "float"),
        ("verdict: {open_at: 0.04}", "$.verdict.open_at", "close_at"),
        ("silence: {factor: 0.5}", "$.silence.factor", "> 1"),
        ("silence: {shortest_s: 40000}", "$.silence.shortest_s", "longest_s"),
        ("health: {low_pct: 60}", "$.health.low_pct", "rearm_pct"),
        ("motion: {throw_m: 0}", "$.motion.throw_m", "above 0"),
        ("motion: {throw_m: .nan}", "$.motion.throw_m", "above 0"),
        ("outage: {share: 2}", "$.outage.share", "<= 1"),
        ("fences: {h: {shedule: {}}}", "$.fences[...]", "shedule"),
        ("fences: {h: {buffer_m: -1}}", "$.fences.h.buffer_m", "from 0"),
        ("fences: {h: {schedule: {time_zone: Moon, holidays: CN}}}", "$.fences.h.schedule.time_zone", "Moon"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_field(text: str, field: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(text)
    assert refused.value.field == field
    assert words in refused.value.reason
