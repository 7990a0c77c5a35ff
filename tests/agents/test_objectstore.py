"""Pictures and templates: readable with the person's key only, at their own place only, and gone when it is gone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex

import pytest

from agents.objectstore import Damaged, Exists, Gone, NoMasterKey, Vault, master_key_from, new_master_key
from schemas.gallery import Gallery

MASTER = bytes(range(32))
PICTURE = b"\xff\xd8\xff" + b"a face" * 100


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, and a store that is reached by its URL alone, as S3 is."""
    return str(tmp_path) if request.param == "folder" else f"memory://{token_hex(8)}"


@pytest.fixture
def vault(url: str) -> Vault:
    vault = Vault(url, MASTER)
    for person in ("s-1", "s-2"):
        vault.make_key(person)
    return vault


def _kept(vault: Vault, person: str = "s-1", day: str = "2026-11-23", checkin: str = "c-1") -> str:
    ref = vault.picture_ref(person, day, checkin, 0)
    vault.put(person, ref, PICTURE)
    return ref


def test_what_is_kept_can_be_read_again_and_says_nothing_to_others(vault: Vault, url: str) -> None:
    ref = _kept(vault)
    assert vault.get("s-1", ref) == PICTURE
    assert "s-1" not in ref
    raw = bytes(vault._files.cat_file(f"{vault._root}/{ref}"))
    assert b"a face" not in raw
    with pytest.raises(Damaged):
        vault.get("s-2", ref)  # with the key of somebody else
    assert not Vault(url, bytes(32)).has_key("s-1"), "under another master key nobody is known"


def test_no_object_passes_for_another(vault: Vault) -> None:
    """A picture that is moved, or changed in one bit, is not what was kept."""
    first, second = _kept(vault), _kept(vault, checkin="c-2")
    raw = bytes(vault._files.cat_file(f"{vault._root}/{first}"))
    vault._files.pipe_file(f"{vault._root}/{second}", raw)
    with pytest.raises(Damaged):
        vault.get("s-1", second)
    vault._files.pipe_file(f"{vault._root}/{first}", raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(Damaged):
        vault.get("s-1", first)


def test_without_a_key_nothing_is_kept(vault: Vault) -> None:
    with pytest.raises(Gone):
        vault.put("s-9", vault.picture_ref("s-9", "2026-11-23", "c", 0), PICTURE)
    assert vault.gallery("s-9") == Gallery(subject_id="s-9")


def test_a_forgotten_person_is_gone_also_from_a_backup(vault: Vault) -> None:
    ref, others = _kept(vault), _kept(vault, "s-2")
    vault.keep_gallery(Gallery(subject_id="s-1"))
    backup = bytes(vault._files.cat_file(f"{vault._root}/{ref}"))
    assert vault.forget("s-1") == (2, True)
    assert vault.forget("s-1") == (0, False)
    vault._files.pipe_file(f"{vault._root}/{ref}", backup)
    with pytest.raises(Gone):
        vault.get("s-1", ref)
    vault.make_key("s-1")  # the same person, under another order
    with pytest.raises(Damaged):
        vault.get("s-1", ref)
    assert vault.get("s-2", others) == PICTURE


def test_old_pictures_go_by_day(vault: Vault) -> None:
    old, new = _kept(vault, day="2026-10-01"), _kept(vault, day="2026-11-01")
    assert vault.sweep("2026-11-01") == 1
    assert vault.sweep("2026-11-01") == 0
    with pytest.raises(Gone):
        vault.get("s-1", old)
    assert vault.get("s-1", new) == PICTURE


def test_of_two_who_make_a_key_at_once_one_does(tmp_path: Path) -> None:
    """Else what the other has kept meanwhile could never be read again."""
    vault = Vault(str(tmp_path), MASTER)

    def make(_: int) -> bool:
        try:
            vault.make_key("s-1")
        except Exists:
            return False
        return True

    with ThreadPoolExecutor(8) as at_once:
        assert sum(at_once.map(make, range(16))) == 1


def test_seeds_open_with_the_master_key_for_their_plan_only(vault: Vault, url: str) -> None:
    sealed = vault.seal_seed("p-1", b"seed")
    assert vault.open_seed("p-1", sealed) == b"seed"
    for other, plan in ((vault, "p-2"), (Vault(url, bytes(32)), "p-1")):
        with pytest.raises(Damaged):
            other.open_seed(plan, sealed)


@pytest.mark.parametrize("text", ["", "short", "!" * 44, new_master_key()[:-4]])
def test_a_master_key_that_is_none_says_how_to_make_one(text: str) -> None:
    with pytest.raises(NoMasterKey, match="make-key"):
        master_key_from(text)
    assert len(master_key_from(f" {new_master_key()}\n")) == 32
