"""`fenceline enroll`, `verify` and `identity evaluate` on photographs, as an operator types them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from PIL import ImageFilter

from agents.objectstore import new_master_key, vault_of
from fenceline.cli import main
from fenceline.settings import settings
from schemas.gallery import Gallery
from tests.support.checkins import collins, hopper, jpeg


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FENCELINE_MASTER_KEY", new_master_key())
    monkeypatch.setenv("FENCELINE_DATA_DIR", str(tmp_path / "data"))


def _typed(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def _pictures(folder: Path) -> dict[str, Path]:
    taken = {
        "first": jpeg(collins()),
        "nearly": jpeg(collins(), 1.02),
        "further": jpeg(collins().crop((60, 0, 420, 400)).convert("L").convert("RGB"), 0.6, 40),
        "blurred": jpeg(collins().filter(ImageFilter.GaussianBlur(2.5))),
        "other": jpeg(hopper()),
        "nobody": jpeg(hopper().crop((0, 0, 120, 120)).resize((300, 300))),
        "broken": jpeg(collins())[:3000],
    }
    paths = {name: folder / f"{name}.jpg" for name in taken}
    for name, body in taken.items():
        paths[name].write_bytes(body)
    return paths


def _enrol(*pictures: Path | str) -> tuple[int, list[dict[str, Any]]]:
    done = _typed("enroll", "s-1", *map(str, pictures), "--by", "o-1", "--no-topic")
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]


def test_good_pictures_of_the_person_become_templates_and_others_are_refused_with_why(tmp_path: Path) -> None:
    paths = _pictures(tmp_path)
    order = ("first", "first", "nearly", "further", "blurred", "other", "nobody", "broken")
    code, said = _enrol(*(paths[name] for name in order))
    assert code == 3
    *told, change = said
    rulings = [(one["ruling"], one["code"]) for one in told]
    assert rulings[:3] == [("enrol", "first"), ("refuse", "same_picture"), ("warn", "near_duplicate")]
    assert rulings[3] in (("enrol", "further"), ("warn", "near_duplicate"))
    assert rulings[4:] == [
        ("refuse", "quality"),
        ("refuse", "wrong_person"),
        ("refuse", "quality"),
        ("refuse", "unreadable"),
    ]
    assert all(one["reasons"] for one in told if one["ruling"] != "enrol")
    blurred = {one["check"]: one for one in told[4]["quality"]["checks"]}["sharpness"]
    assert blurred["value"] < blurred["least"]
    assert blurred["advice"] in told[4]["reasons"]
    assert len(change["template_ids"]) == 3
    assert change["model_version"]

    # at rest nothing of it can be read, nor whose it is
    vault = vault_of(settings())
    gallery = vault.gallery("s-1")
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert kept
    plain = msgspec.json.encode(gallery.templates[0].values)[1:40]
    for path in kept:
        body = path.read_bytes()
        assert plain not in body
        assert paths["first"].read_bytes()[:64] not in body
        assert "s-1" not in str(path.relative_to(tmp_path))

    # after a change of the model what the old one made is dropped, as it cannot be compared
    old = tuple(msgspec.structs.replace(one, model_version="of-last-year") for one in gallery.templates)
    vault.keep_gallery(Gallery(subject_id="s-1", templates=old))
    code, (dropped, taken, _) = _enrol(paths["first"])
    assert (code, dropped["event"], dropped["templates"]) == (0, "outdated_templates_dropped", 3)
    assert (taken["ruling"], len(vault.gallery("s-1").templates)) == ("enrol", 1)


def test_verify_answers_in_one_object_and_errors_say_what_is_wrong(tmp_path: Path) -> None:
    paths = {name: str(path) for name, path in _pictures(tmp_path).items()}

    same = _typed("verify", paths["first"], paths["further"], "--json", "--exit-code")
    answer = json.loads(same.stdout)
    assert (same.exit_code, answer["outcome"], answer["fmr_target"]) == (0, "match", 0.001)
    assert answer["distance"] <= answer["threshold"]
    assert answer["quality"]["probe"]["ok"]
    other = _typed("verify", paths["first"], paths["other"], "--json", "--exit-code")
    answer = json.loads(other.stdout)
    assert (other.exit_code, answer["outcome"]) == (1, "no_match")
    nobody = _typed("verify", paths["first"], paths["nobody"], "--json")
    answer = json.loads(nobody.stdout)
    assert (nobody.exit_code, answer["outcome"], answer["distance"]) == (0, "undetermined", None)
    assert "No face" in answer["reasons"][0]
    broken = _typed("verify", paths["first"], paths["broken"], "--json")
    assert (broken.exit_code, json.loads(broken.stdout)["outcome"]) == (1, "undetermined")
    assert "broken.jpg" in broken.stderr
    assert _typed("verify", paths["first"], str(tmp_path / "none.jpg")).exit_code == 2


def test_an_operator_can_check_the_threshold_on_pairs_of_their_own(tmp_path: Path) -> None:
    _pictures(tmp_path)
    rows = ("first,nearly,1,a", "first,further,yes,a", "first,other,0,b", "further,other,0,b", "first,nobody,1,b")
    lines = [
        ",".join(f"{part}.jpg" if place < 2 else part for place, part in enumerate(row.split(","))) for row in rows
    ]
    csv = tmp_path / "pairs.csv"
    csv.write_text("reference,probe,same,group\n" + "\n".join(lines) + "\n")
    done = _typed("identity", "evaluate", str(csv), "--json", "--roc", str(tmp_path / "roc.png"))
    answer = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (answer["pairs"], answer["compared"], answer["fmr"], answer["fnmr"]) == (5, 4, 0.0, 0.0)
    assert answer["failure_to_acquire"] == 0.2
    assert answer["intervals"]["fmr"]["high"] > 0.5, "of two pairs nothing is sure"
    assert answer["groups"]["b"]["failure_to_acquire"]["count"] == 1
    assert "nobody.jpg" in done.stderr
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")

    for text, why in (
        ("reference,probe\na,b\n", "no column same"),
        ("reference,probe,same\na,b,perhaps\n", "line 2"),
        ("reference,probe,same\n", "no pairs"),
    ):
        csv.write_text(text)
        wrong = _typed("identity", "evaluate", str(csv))
        assert wrong.exit_code == 1
        assert why in wrong.stderr
