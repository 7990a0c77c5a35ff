"""How many parts does a text message take? By its alphabet: GSM-7 where it suffices, else UCS-2.

Source: 3GPP TS 23.038 (the default alphabet and its extension table) and TS 23.040 (parts: 160 and 153 septets, 70 and
67 UTF-16 code units).
"""

from typing import Literal, NamedTuple

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""These take two septets: an escape, and another."""


class Segments(NamedTuple):
    """`units`: septets or UTF-16 code units; `parts`: on the air, each of which is paid for."""

    alphabet: Literal["gsm7", "ucs2"]
    units: int
    parts: int


def segments_of(text: str) -> Segments:
    """The parts that `text` takes. No character is cut in two: a pair that would straddle goes to the next part."""
    if all(one in _GSM7 or one in _EXTENDED for one in text):
        widths = [2 if one in _EXTENDED else 1 for one in text]
        return Segments("gsm7", sum(widths), _parts(widths, alone=160, part=153))
    widths = [2 if ord(one) > 0xFFFF else 1 for one in text]
    return Segments("ucs2", sum(widths), _parts(widths, alone=70, part=67))


def _parts(widths: list[int], alone: int, part: int) -> int:
    if sum(widths) <= alone:
        return 1 if widths else 0
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return count
