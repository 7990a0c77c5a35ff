"""Who wears a device at a moment? Activations by device, a million of them in columns."""

from datetime import datetime
from typing import Any

import numpy as np

from fences.room import lengthen, room
from pipeline.texts import Texts
from schemas.message import Invalid
from schemas.reference import Activation


class Activations:
    """Activations by slot, a number that stays while this lives. Columns to read: `t_from`, `t_until` (seconds since
    1970; in force from, until before), `subject` and `agency` (numbers of `subjects`, `agencies`), `period_s` (0: not
    told). `ids` has the slots of activation ids."""

    def __init__(self) -> None:
        self.ids, self.subjects, self.agencies = Texts(), Texts(), Texts()
        self.devices: list[str] = []
        self.t_from = np.zeros(16)
        self.t_until = np.zeros(16)
        self.subject = np.zeros(16, np.int32)
        self.agency = np.zeros(16, np.int32)
        self.period_s = np.zeros(16, np.float32)
        self._of_device: dict[str, int | list[int]] = {}
        self._agency_of: dict[str, int] = {}  # there are few
        self.shared = 0
        """How many devices have more than one activation; while 0, a device's slot is simply `of_device[...]`."""
        self.overlaps: list[tuple[str, str]] = []
        """Pairs of activations (newer, older) of one device that were found to overlap; the newer start wins."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def of_device(self) -> dict[str, Any]:
        """Device to its slot, or list of slots in order of their start."""
        return self._of_device

    def slot(self, activation_id: str) -> int:
        """The slot of `activation_id`, -1: not known."""
        return self.ids.find(activation_id)

    def learn(self, activation: Activation) -> int:
        """Take in `activation`, new or anew; returns its slot.

        Raises:
            Invalid: it ends before it starts, or a known one changes its device or subject (that is a new activation).
        """
        t_from = activation.starts_at.timestamp()
        t_until = np.inf if activation.ends_at is None else activation.ends_at.timestamp()
        if t_until < t_from:
            raise Invalid("an activation must not end before it starts", "$.ends_at")
        slot = self.ids.find(activation.activation_id)
        if slot < 0:
            slot = self._new(activation)
        elif self.devices[slot] != activation.device_id:
            raise Invalid("an activation keeps its device; end this one and make another", "$.device_id")
        elif self.subjects[self.subject[slot]] != activation.subject_id:
            raise Invalid("an activation keeps its subject; end this one and make another", "$.subject_id")
        self.t_from[slot], self.t_until[slot] = t_from, t_until
        agency = self._agency_of.get(activation.agency)
        if agency is None:
            agency = self._agency_of[activation.agency] = self.agencies.number(activation.agency)
        self.agency[slot] = agency
        self.period_s[slot] = activation.expected_period_s or 0.0
        known = self._of_device.get(activation.device_id)
        if isinstance(known, list):
            known.sort(key=lambda one: (self.t_from[one], one))
            self._note_overlaps(slot, known)
        return slot

    def _new(self, activation: Activation) -> int:
        slot = len(self.ids)
        if slot == len(self.t_from):
            for name in ("t_from", "t_until", "subject", "agency", "period_s"):
                lengthen(self, name, room(slot, slot + 1))
        device = activation.device_id
        self.subject[slot] = self.subjects.number(activation.subject_id)
        self.ids.number(activation.activation_id)
        known = self._of_device.get(device)
        if known is None:
            self._of_device[device] = slot
        elif isinstance(known, list):
            device = self.devices[known[0]]  # one string for all
            known.append(slot)
        else:
            device = self.devices[known]
            self._of_device[device] = [known, slot]
            self.shared += 1
        self.devices.append(device)
        return slot

    def _note_overlaps(self, slot: int, others: list[int]) -> None:
        for other in others:
            if other != slot and self.t_from[slot] < self.t_until[other] and self.t_from[other] < self.t_until[slot]:
                newer, older = sorted((slot, other), key=lambda one: (self.t_from[one], one), reverse=True)
                pair = (self.ids[newer], self.ids[older])
                if pair not in self.overlaps:
                    self.overlaps.append(pair)

    def end(self, activation_id: str, at: datetime) -> int:
        """Let `activation_id` hold no more from `at` on (its record was withdrawn); its slot, -1: not known."""
        slot = self.ids.find(activation_id)
        if slot >= 0:
            self.t_until[slot] = min(self.t_until[slot], max(at.timestamp(), self.t_from[slot]))
        return slot

    def at(self, device_id: str, t: float) -> int:
        """The slot in force on `device_id` at `t` (seconds since 1970): of several the newest start; -1: none, -2: an
        unknown device."""
        known = self._of_device.get(device_id)
        if known is None:
            return -2
        for slot in reversed(known) if isinstance(known, list) else (known,):
            if self.t_from[slot] <= t < self.t_until[slot]:
                return slot
        return -1
