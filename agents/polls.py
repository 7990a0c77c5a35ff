"""Up to when is it known that a partition held nothing more?

That a partition's length is the one we know says little by itself: while a group is shared out anew nothing is fetched,
and what we know is old. An answer to a fetch tells the length as of some moment after the fetch was asked for, and that
was after the answer before it. So it is known up to the answer before the last, and no timer of later may fire.
"""

from dataclasses import dataclass, field

Place = tuple[str, int]


@dataclass
class Polls:
    """When answers were read, of each (topic, partition). Ask often: answers between two questions are not seen, which
    makes what is known older, never wrong."""

    _last_ms: dict[Place, int] = field(default_factory=dict)
    _before_ms: dict[Place, int] = field(default_factory=dict)

    def asked_after_s(self, place: Place, polled_ms: int | None) -> float:
        """Epoch seconds after which the fetch was asked for whose answer was read at `polled_ms`; 0.0: not known."""
        if polled_ms is None:
            self._last_ms.pop(place, None)
            self._before_ms.pop(place, None)
            return 0.0
        last = self._last_ms.get(place)
        if last != polled_ms:
            self._last_ms[place] = polled_ms
            if last is not None and last < polled_ms:
                self._before_ms[place] = last
            else:  # the clock was set back
                self._before_ms.pop(place, None)
        return self._before_ms.get(place, 0) / 1000
