"""What an incident says in one sentence, in two languages."""

import string
from typing import Any, get_args

import pytest

from pipeline.explain.sentences import sentence
from pipeline.explain.texts import TEXTS
from pipeline.explain.words import LANGUAGES, certainty, distance, duration
from schemas.incident import Incident, IncidentType
from schemas.reference import Subject
from schemas.times import parse

SUBJECT = Subject(subject_id="s-1", agency="police", case_ref="2026-0004")


def incident(kind: IncidentType = "breach.opened", confidence: float = 0.97, **more: Any) -> Incident:
    evidence = more.pop("evidence", {})
    return Incident(
        incident_id="i-1",
        type=kind,
        subject_id="s-1",
        fence_id="home-1",
        fence_name="home",
        occurred_at=parse("2026-11-23T09:31:12Z"),
        detected_at=parse("2026-11-23T09:31:32Z"),
        confidence=confidence,
        evidence=evidence,
        **more,
    )


def fix(second: int, distance_m: float) -> dict[str, Any]:
    at = f"2026-11-23T09:31:{second:02d}.000Z"
    return {"fix_time": at, "lat": 30.1, "lon": 120.2, "accuracy_m": 8.0, "distance_m": distance_m}


BREACH = {"rule": "stay_in", "fixes": [fix(2, 40.0), fix(32, 240.0)]}


def test_a_breach_says_who_where_how_far_since_when_how_sure_and_why() -> None:
    assert sentence(incident(evidence=BREACH), "en", SUBJECT) == (
        "2026-0004 left “home” at 17:31:12 on 23 Nov 2026: 240 m beyond its boundary, at 30.10000, 120.20000; "
        "very likely (0.97), by 2 positions over 30 s, accurate to 8 m by their own account."
    )


def test_the_same_in_chinese() -> None:
    assert sentence(incident(evidence=BREACH), "zh-CN", SUBJECT) == (
        "案号 2026-0004 于 2026 年 11 月 23 日 17:31:12 离开“home”，已超出边界 240 米，位置 30.10000, 120.20000；"
        "很可能（0.97），依据 2 个定位点，历时 30 秒，标称精度 8 米。"
    )


def test_a_closed_zone_is_entered_and_depth_is_told() -> None:
    evidence = {"rule": "keep_out", "fixes": [fix(2, -5.0), fix(32, -60.0)]}
    assert "entered “home”, which is closed to them" in sentence(incident(evidence=evidence))
    assert ": 60 m past its boundary" in sentence(incident(evidence=evidence))


def test_without_a_subject_times_are_utc_and_the_reference_stands_for_the_person() -> None:
    assert sentence(incident(evidence=BREACH)).startswith("s-1 left “home” at 09:31:12 on 23 Nov 2026")


def test_nobody_is_at_fault_in_an_outage() -> None:
    evidence = {"likely_cause": "outage", "outage_area": "carrier:460-00", "outage_quiet": 37, "outage_devices": 40}
    silent = incident("device.silent", attributable=False, evidence={"silent_s": 400, "period_s": 15, **evidence})
    assert sentence(silent).endswith(
        "for 7 min; it usually reports every 15 s; likely cause: the network, not the person. "
        "Nobody is at fault: 37 of 40 devices of carrier:460-00 fell silent at once."
    )
    assert "并非当事人责任：carrier:460-00的 40 台设备中有 37 台同时失联。" in sentence(silent, "zh-CN")


def test_a_correction_names_its_reason() -> None:
    corrected = incident("breach.corrected", late=True, evidence={"rule": "stay_in", "reason": "leave"})
    assert "was none: leave was given." in sentence(corrected)
    assert sentence(corrected).endswith("It became known late.")
    thrown = incident("breach.corrected", evidence={"rule": "stay_in", "reason": "thrown"})
    assert "was none: the receiver was far off" in sentence(thrown)


@pytest.mark.parametrize("reason", ["schedule", "leave", "fence", "activation"])
def test_a_breach_that_ends_with_its_duty_does_not_say_that_the_person_is_back(reason: str) -> None:
    evidence = {"rule": "stay_in", "reason": reason, "opened_at": "2026-11-23T08:31:12.000Z"}
    ended = sentence(incident("breach.closed", 1.0, evidence=evidence))
    assert ended.startswith("The breach of “home” by s-1 ended at 09:31:12 on 23 Nov 2026, after 60 min, because ")
    assert "回到" not in sentence(incident("breach.closed", 1.0, evidence=evidence), "zh-CN")


@pytest.mark.parametrize("kind", get_args(IncidentType))
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "evidence",
    [{}, {"rule": "stay_in"}, {"rule": 3, "fixes": [{}, 1], "reason": ["x"], "silent_s": "x", "opened_at": 5}],
)
def test_every_type_has_a_sentence_whatever_the_evidence_lacks(kind: Any, language: Any, evidence: Any) -> None:
    """Nothing is left of a template's gaps and brackets."""
    text = sentence(incident(kind, evidence=evidence), language, SUBJECT)
    assert "2026-0004" in text
    assert not set("[]{}") & set(text)
    assert "  " not in text
    assert kind not in text, "a sentence of its own, not the general one"


def test_templates_of_both_languages_have_the_same_gaps() -> None:
    def gaps(template: str) -> set[str]:
        plain = template.replace("[", "").replace("]", "")
        return {name for _, name, _, _ in string.Formatter().parse(plain) if name}

    assert [name for name, (english, chinese) in TEXTS.items() if gaps(english) != gaps(chinese)] == []


def test_a_name_with_braces_is_a_name() -> None:
    text = sentence(incident(evidence=BREACH)).replace("home", "")
    odd = Incident(
        **{**{f: getattr(incident(evidence=BREACH), f) for f in Incident.__struct_fields__}, "fence_name": "{who}[x]"}
    )
    assert "“{who}[x]”" in sentence(odd)
    assert text


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [(45, "45 s", "45 秒"), (180, "3 min", "3 分钟"), (7500, "2 h 5 min", "2 小时 5 分钟"), (7200, "2 h", "2 小时"),
     (4 * 86400, "4 days", "4 天"), (-5, "0 s", "0 秒")],
)  # fmt: skip
def test_durations(seconds: float, english: str, chinese: str) -> None:
    assert (duration(seconds, "en"), duration(seconds, "zh-CN")) == (english, chinese)


def test_distances_and_certainty() -> None:
    assert [distance(m, "en") for m in (0.4, -240.2, 1260, 34_567)] == ["0 m", "240 m", "1.3 km", "35 km"]
    assert certainty(0.5, "en") == "doubtful (0.50)"
    assert certainty(1.0, "zh-CN") == "几乎可以确定（0.999）"


def test_fixes_on_the_other_side_and_those_thrown_off_do_not_count_as_grounds() -> None:
    fixes = [fix(0, -30.0), fix(10, 20.0), {**fix(20, 400.0), "accuracy_m": 99.0, "thrown": True}, fix(30, 60.0)]
    text = sentence(incident(evidence={"rule": "stay_in", "fixes": fixes, "distance_m": 60.0}))
    assert "by 2 positions over 20 s, accurate to 8 m by their own account, 1 more held for thrown off." in text
    assert "另有 1 个漂移点未采信" in sentence(incident(evidence={"rule": "stay_in", "fixes": fixes}), "zh-CN")


def test_at_an_edge_of_the_hours_it_was_there_already() -> None:
    text = sentence(incident(evidence=BREACH | {"edge": True}))
    assert text.startswith("s-1 was outside of “home” when its duty began, at 09:31:12 on 23 Nov 2026: 240 m beyond")
    assert "离开" not in sentence(incident(evidence=BREACH | {"edge": True}), "zh-CN")
