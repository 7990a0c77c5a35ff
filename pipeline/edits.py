"""Whom does an edit of the reference concern? What is remembered of these rows is let go; and who is on leave."""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.nearby import Nearby
from pipeline.reference import Reference

Numbers = NDArray[np.int64]


class Edits:
    """How far a judgement has caught up with its reference."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._caught_up = 0  # also of a core made later: the states it takes back may be older than the edits
        self._granted = np.zeros(0, np.bool_)  # by number of the subject: whether any leave was granted

    def catch_up(self, tracked: NDArray[Any], activation: "array[int]", nearby: Nearby) -> None:
        """Let rows that an edit may concern be looked at anew. `tracked`: their `motion.STATE`; `activation`: of each
        row."""
        edits = self._reference.edits
        if self._caught_up == len(edits):
            return
        kinds = edits.kinds(self._caught_up)
        slots = edits.numbers("activation", self._caught_up)
        self._caught_up = len(edits)
        of_row = np.array(activation, np.int64)
        if kinds == {"activation"}:  # nobody else's duties change
            rows = np.flatnonzero(np.isin(of_row, slots))
            tracked["clear_m"][rows] = 0.0
            nearby.forget(rows)
            return
        tracked["clear_m"] = 0.0
        nearby.forget(slice(None))
        if "leaves" in kinds:
            self._granted = self._granted[:0]
            tracked["watched"][np.flatnonzero(self.on_leave(of_row))] = 1

    def on_leave(self, activations: Numbers) -> NDArray[np.bool_]:
        """Which of `activations` (slots) are of people to whom a leave was granted."""
        known = self._reference.activations
        subjects = known.subjects
        if len(self._granted) < len(subjects):
            leaves, had = self._reference.leaves, len(self._granted)
            new = np.zeros(len(subjects) - had, np.bool_)
            if leaves.edition:
                new[:] = [subjects[number] in leaves for number in range(had, len(subjects))]
            self._granted = np.append(self._granted, new)
        return np.asarray(self._granted[known.subject[activations]])
