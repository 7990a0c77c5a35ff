"""How are figures said in plain words, in English and in Chinese? Distances, times, durations, certainty."""

from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from schemas.times import parse

Language = Literal["en", "zh-CN"]
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SURE: tuple[tuple[float, str, str], ...] = (
    (0.99, "almost certain", "几乎可以确定"),
    (0.9, "very likely", "很可能"),
    (0.7, "likely", "较可能"),
    (0.0, "doubtful", "存疑"),
)


def distance(metres: float, language: Language) -> str:
    """240 m, 1.3 km; rounded as a person would say it."""
    metres = abs(metres)
    if metres >= 10_000:
        value, unit = f"{metres / 1000:.0f}", ("km", "公里")
    elif metres >= 1000:
        value, unit = f"{metres / 1000:.1f}", ("km", "公里")
    else:
        value, unit = f"{metres:.0f}", ("m", "米")
    return f"{value} {unit[language == 'zh-CN']}"


def duration(seconds: float, language: Language) -> str:
    """45 s, 3 min, 2 h 5 min, 4 days."""
    chinese = language == "zh-CN"
    seconds = max(round(seconds), 0)
    if seconds < 120:
        return f"{seconds} 秒" if chinese else f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} 分钟" if chinese else f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        days = round(hours / 24)
        return f"{days} 天" if chinese else f"{days} days"
    if not rest:
        return f"{hours} 小时" if chinese else f"{hours} h"
    return f"{hours} 小时 {rest} 分钟" if chinese else f"{hours} h {rest} min"


def moment(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """By the wall clock of `zone`: 09:31:12 on 23 Nov 2026."""
    there = at.astimezone(zone)
    if language == "zh-CN":
        return f"{there.year} 年 {there.month} 月 {there.day} 日 {there:%H:%M:%S}"
    return f"{there:%H:%M:%S} on {there.day} {_MONTHS[there.month - 1]} {there.year}"


def place(lat: float, lon: float) -> str:
    """Degrees to a metre."""
    return f"{lat:.5f}, {lon:.5f}"


def certainty(confidence: float, language: Language) -> str:
    """How sure: very likely (0.93)."""
    _, english, chinese = next(row for row in _SURE if confidence >= row[0])
    figure = f"{min(confidence, 0.999):.3f}" if confidence >= 0.99 else f"{confidence:.2f}"
    return f"{chinese}（{figure}）" if language == "zh-CN" else f"{english} ({figure})"


def number(evidence: dict[str, Any], *names: str) -> float | None:
    """The first of `names` that the evidence has as a number."""
    for name in names:
        value = evidence.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def time_in(evidence: dict[str, Any], *names: str) -> datetime | None:
    """The first of `names` that the evidence has as a time."""
    for name in names:
        value = evidence.get(name)
        if isinstance(value, str):
            try:
                return parse(value)
            except ValueError:
                continue
    return None
