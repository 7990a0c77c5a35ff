"""Was it the person, there and then? Check-ins to incidents, over what was measured, plans, and an officer's word."""

import hmac
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import structlog

from agents.agent import Agent
from agents.objectstore import Damaged, NoMasterKey, Vault, master_key_of, store_url
from fenceline.settings import BadSetting, Settings, settings
from pipeline.identity.calibration import CALIBRATIONS, Calibration, check
from pipeline.identity.decide import decide
from pipeline.identity.known import Known
from pipeline.identity.person import Person
from pipeline.identity.rules import IdentityRules
from pipeline.keyed import KeyedCore
from schemas.message import Invalid, decode
from schemas.topics import (
    CHECKIN_CALLS,
    CHECKIN_PLANS,
    CHECKIN_RESULTS,
    CHECKINS,
    COMMAND_RESULTS,
    COMMANDS,
    ENROLMENTS,
    ERASURES,
    FACE_RESULTS,
    INCIDENTS,
    POSITION_ANSWERS,
    POSITION_ASKS,
    SUBJECTS,
)

ROOM_CHARS = 24

log = structlog.get_logger()


class Secrets:
    """What the master key opens: seeds of plans, and names of rooms that nobody can guess. Read when first needed."""

    def __init__(self, chosen: Settings) -> None:
        self._settings = chosen

    @cached_property
    def _key(self) -> bytes:
        return master_key_of(self._settings)

    def open_seed(self, plan_id: str, sealed: bytes) -> bytes:
        """The seed of a plan's random times.

        Raises:
            Invalid: there is no master key here, or it is not the one that the seed was sealed with.
        """
        try:
            return Vault(store_url(self._settings), self._key).open_seed(plan_id, sealed)
        except (Damaged, NoMasterKey) as error:
            raise Invalid(str(error), "$.sampling.sealed") from error

    def name_room(self, incident_id: str) -> str:
        """The name of the room for the video check about an incident.

        Without a master key here it follows from the incident's id alone, which whoever can read topics could work
        out; but a doubt that reaches nobody would be worse.
        """
        text = f"video room {incident_id}".encode()
        try:
            return hmac.new(self._key, text, sha256).hexdigest()[:ROOM_CHARS]
        except NoMasterKey as error:
            log.warning("room named without a master key", reason=str(error))
            return sha256(text).hexdigest()[:ROOM_CHARS]


def calibration_of(chosen: Settings) -> Calibration | None:
    """The rates of error of the model that is set: from the file that is set, else those that come with the program.

    Raises:
        BadSetting: the file cannot be read, or is of another model.
    """
    if not chosen.face_calibration:
        return CALIBRATIONS.get(chosen.face_model)
    try:
        calibration = check(decode(Path(chosen.face_calibration).read_bytes(), Calibration))
    except (OSError, Invalid) as error:
        raise BadSetting(f"FENCELINE_FACE_CALIBRATION {chosen.face_calibration}: {error}") from error
    if calibration.model != chosen.face_model:
        raise BadSetting(
            f"FENCELINE_FACE_CALIBRATION is of {calibration.model}, but FENCELINE_FACE_MODEL is {chosen.face_model}"
        )
    return calibration


def known() -> Known:
    """What is known at the start: the rules as this installation's settings have them."""
    chosen = settings()
    secrets = Secrets(chosen)
    rules = IdentityRules(
        model=chosen.face_model,
        calibration=calibration_of(chosen),
        fmr=chosen.face_fmr,
        fnmr=chosen.face_fnmr,
        video_link=chosen.video_link,
        video_check_s=chosen.video_check_s,
    )
    return Known(rules, secrets.open_seed, secrets.name_room)


AGENT = Agent(
    name="verify",
    inputs=(CHECKINS, FACE_RESULTS, POSITION_ANSWERS, CHECKIN_PLANS, ENROLMENTS, COMMANDS),
    outputs=(INCIDENTS, CHECKIN_RESULTS, CHECKIN_CALLS, POSITION_ASKS, ERASURES, COMMAND_RESULTS),
    reference=(SUBJECTS,),
    knowledge=known,
    core=lambda _, knowledge: KeyedCore(decide, Person, knowledge),
)
