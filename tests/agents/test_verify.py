"""What the master key opens for the rule over check-ins, and what becomes of it without one."""

from pathlib import Path

import msgspec
import pytest

from agents.objectstore import Vault, master_key_from, new_master_key
from agents.verify import Secrets, calibration_of
from fenceline.settings import BadSetting, Settings
from pipeline.identity.calibration import DLIB
from schemas.message import Invalid, encode


def test_rooms_are_the_same_for_every_worker_and_cannot_be_guessed(tmp_path: Path) -> None:
    one, other = new_master_key(), new_master_key()
    room = Secrets(Settings(master_key=one)).name_room("i-1")
    assert room == Secrets(Settings(master_key=one)).name_room("i-1")
    assert (
        len(
            {
                room,
                Secrets(Settings(master_key=one)).name_room("i-2"),
                Secrets(Settings(master_key=other)).name_room("i-1"),
            }
        )
        == 3
    )
    without = Secrets(Settings(data_dir=str(tmp_path)))
    assert len(without.name_room("i-1")) == len(room), "a doubt reaches a human also without a key"


def test_seeds_open_with_the_key_and_say_what_is_wrong_without(tmp_path: Path) -> None:
    key = new_master_key()
    sealed = Vault(str(tmp_path), master_key_from(key)).seal_seed("p", b"seed")
    assert Secrets(Settings(master_key=key, data_dir=str(tmp_path))).open_seed("p", sealed) == b"seed"
    for chosen in (Settings(data_dir=str(tmp_path)), Settings(master_key=new_master_key(), data_dir=str(tmp_path))):
        with pytest.raises(Invalid, match="master key"):
            Secrets(chosen).open_seed("p", sealed)


def test_a_calibration_from_a_file_must_be_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(encode(msgspec.structs.replace(DLIB, model="ArcFace")))
    assert calibration_of(Settings()) == DLIB
    assert calibration_of(Settings(face_model="ArcFace", face_calibration=str(path))).model == "ArcFace"  # type: ignore[union-attr]
    for wrong in (str(path), str(tmp_path / "none.json")):
        with pytest.raises(BadSetting, match="FENCELINE_FACE_CALIBRATION"):
            calibration_of(Settings(face_calibration=wrong))
