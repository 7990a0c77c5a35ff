"""Where do pictures and templates lie, and who can read them? In an object store, encrypted with a key for each person.

A folder by default, S3 or anything else that fsspec knows by its URL. Everything is encrypted with AES-256-GCM under
the person's own data key, bound to the place where it lies, so that no object can pass for another. Data keys are kept
wrapped (AES-256-GCM again) with the installation's master key. A person is forgotten by destroying the data key:
what remains anywhere, in backups too, is noise.

    keys/<person>                      the wrapped data key
    galleries/<person>                 templates
    pictures/<day>/<person>/<id>/<n>   stills and clips of check-ins

`<person>` is the SHA-256 of the subject_id under the master key, so that the store's file names tell nobody who is
supervised.
"""

import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any

import fsspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fenceline.settings import Settings
from schemas.gallery import Gallery
from schemas.message import Invalid, decode, encode

KEY_BYTES, NONCE_BYTES = 32, 12
MAGIC = b"FL1"
MASTER_KEY_FILE = "master.key"


class NoMasterKey(Exception):
    """There is no usable master key; says how to make one."""


class Gone(LookupError):
    """The object, or the key to it, is not there (any more)."""


class Damaged(Exception):
    """The object was changed, lies at another place than it was written to, or the key is not the one."""


class Exists(Exception):
    """There is one already."""


def master_key_from(text: str) -> bytes:
    """The master key in `text`, 32 bytes as base64.

    Raises:
        NoMasterKey: it is not that.
    """
    try:
        key = b64decode(text.strip(), validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise NoMasterKey(
            "FENCELINE_MASTER_KEY must be 32 random bytes as base64; make one with "
            "`fenceline identity make-key` and keep it apart from the object store's backups"
        )
    return key


def new_master_key() -> str:
    """A master key, as it is written into the environment."""
    return b64encode(token_bytes(KEY_BYTES)).decode()


def master_key_of(settings: Settings, *, make: bool = False) -> bytes:
    """The installation's master key: the setting, else the file in the data folder; `make`: a new file if there is
    none.

    Raises:
        NoMasterKey: neither is there, or it cannot be used.
    """
    if settings.master_key:
        return master_key_from(settings.master_key)
    path = Path(settings.data_dir) / MASTER_KEY_FILE
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
                sink.write(new_master_key())
        except FileExistsError:
            pass  # another process was quicker; its key is the one
    if not path.exists():
        raise NoMasterKey(
            "there is no master key: set FENCELINE_MASTER_KEY to one made with `fenceline identity make-key`, "
            f"or for a trial let `fenceline identity make-key --file` write {path}"
        )
    return master_key_from(path.read_text())


def store_url(settings: Settings) -> str:
    """Where the object store is."""
    return settings.object_store or str((Path(settings.data_dir) / "objects").resolve())


def vault_of(settings: Settings, *, make_key: bool = False) -> "Vault":
    """The vault of this installation.

    Raises:
        NoMasterKey: as `master_key_of`.
    """
    return Vault(store_url(settings), master_key_of(settings, make=make_key))


class Vault:
    """The object store at `url`, and the keys to it. Its methods block; call them from a thread."""

    def __init__(self, url: str, master_key: bytes) -> None:
        self._files: Any
        self._files, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")
        self._master = AESGCM(master_key)
        self._blind = hmac.new(master_key, b"fenceline person names", sha256).digest()

    def _path(self, ref: str) -> str:
        return f"{self._root}/{ref}"

    def _person(self, subject_id: str) -> str:
        return hmac.new(self._blind, subject_id.encode(), sha256).hexdigest()[:32]

    # keys

    def has_key(self, subject_id: str) -> bool:
        """Whether anything can be kept for this person."""
        return bool(self._files.exists(self._path(f"keys/{self._person(subject_id)}")))

    def make_key(self, subject_id: str) -> None:
        """Give the person a data key.

        Raises:
            Exists: it has one.
        """
        ref = f"keys/{self._person(subject_id)}"
        wrapped = _sealed(self._master, token_bytes(KEY_BYTES), ref)
        if self.has_key(subject_id) or not self._write(ref, wrapped, new=True):
            raise Exists(f"{subject_id} has a key")

    def _key(self, subject_id: str) -> AESGCM:
        ref = f"keys/{self._person(subject_id)}"
        return AESGCM(_opened(self._master, self._read(ref), ref))

    # objects

    def _write(self, ref: str, body: bytes, *, new: bool = False) -> bool:
        """Whole or not at all: a reader never sees a part of it. `new`: False, and nothing done, if it is there."""
        path = self._path(ref)
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        if not self._is_local:
            self._files.pipe_file(path, body)
            return True
        part = f"{path}.{token_bytes(6).hex()}.part"
        self._files.pipe_file(part, body)
        Path(part).chmod(0o600)
        if not new:
            Path(part).replace(path)
            return True
        try:
            Path(path).hardlink_to(part)
        except FileExistsError:  # two came at once; the other's key is the one
            return False
        finally:
            Path(part).unlink()
        return True

    @property
    def _is_local(self) -> bool:
        protocol = self._files.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    def _read(self, ref: str) -> bytes:
        try:
            return bytes(self._files.cat_file(self._path(ref)))
        except FileNotFoundError as error:
            raise Gone(f"{ref} is not in the object store") from error

    def put(self, subject_id: str, ref: str, body: bytes) -> None:
        """Keep `body` for the person at `ref`.

        Raises:
            Gone: the person has no key.
        """
        self._write(ref, _sealed(self._key(subject_id), body, ref))

    def get(self, subject_id: str, ref: str) -> bytes:
        """What was kept at `ref`.

        Raises:
            Gone: it, or the key, is not there.
            Damaged: it was changed.
        """
        return _opened(self._key(subject_id), self._read(ref), ref)

    def picture_ref(self, subject_id: str, day: str, checkin_id: str, place: int) -> str:
        """Where a picture of a check-in is to lie; `day` like 2026-11-23."""
        return f"pictures/{day}/{self._person(subject_id)}/{checkin_id}/{place}"

    def gallery(self, subject_id: str) -> Gallery:
        """The person's templates; an empty gallery when there are none.

        Raises:
            Damaged: it was changed, or the master key is another one.
        """
        try:
            raw = self.get(subject_id, f"galleries/{self._person(subject_id)}")
        except Gone:
            return Gallery(subject_id=subject_id)
        try:
            return decode(raw, Gallery)
        except Invalid as error:
            raise Damaged(f"the templates of {subject_id} cannot be read: {error}") from error

    def keep_gallery(self, gallery: Gallery) -> None:
        """Keep the person's templates instead of those there were.

        Raises:
            Gone: the person has no key.
        """
        self.put(gallery.subject_id, f"galleries/{self._person(gallery.subject_id)}", encode(gallery))

    # forgetting

    def forget(self, subject_id: str) -> tuple[int, bool]:
        """Destroy the person's key, then templates and pictures; how many objects, and whether there was a key."""
        person = self._person(subject_id)
        had_key = self._remove(f"keys/{person}")
        objects = int(self._remove(f"galleries/{person}"))
        for path in list(self._found(f"pictures/*/{person}/**")):
            self._files.rm_file(path)
            objects += 1
        return objects, had_key

    def sweep(self, before: str) -> int:
        """Delete the pictures of days before `before` (2026-11-23); how many days."""
        folder = self._path("pictures")
        if not self._files.exists(folder):
            return 0
        days = [path for path in self._files.ls(folder, detail=False) if path.rstrip("/").rpartition("/")[2] < before]
        for path in days:
            self._files.rm(path, recursive=True)
        return len(days)

    def _found(self, pattern: str) -> Iterator[str]:
        for path, info in self._files.glob(self._path(pattern), detail=True).items():
            if info["type"] == "file":
                yield path

    def _remove(self, ref: str) -> bool:
        try:
            self._files.rm_file(self._path(ref))
        except FileNotFoundError:
            return False
        return True

    # seeds of check-in plans

    def seal_seed(self, plan_id: str, seed: bytes) -> bytes:
        """The seed of a plan's random times, readable with the master key only."""
        return _sealed(self._master, seed, f"seed/{plan_id}")

    def open_seed(self, plan_id: str, sealed: bytes) -> bytes:
        """The seed.

        Raises:
            Damaged: it was sealed with another key, or for another plan.
        """
        return _opened(self._master, sealed, f"seed/{plan_id}")


OpenSeed = Callable[[str, bytes], bytes]
"""The form of `Vault.open_seed`."""


def _sealed(key: AESGCM, body: bytes, bound_to: str) -> bytes:
    nonce = token_bytes(NONCE_BYTES)
    return MAGIC + nonce + key.encrypt(nonce, body, bound_to.encode())


def _opened(key: AESGCM, sealed: bytes, bound_to: str) -> bytes:
    start = len(MAGIC) + NONCE_BYTES
    if sealed[: len(MAGIC)] != MAGIC or len(sealed) < start:
        raise Damaged(f"{bound_to} is not an object of ours")
    try:
        return key.decrypt(sealed[len(MAGIC) : start], sealed[start:], bound_to.encode())
    except InvalidTag as error:
        raise Damaged(f"{bound_to} was changed, or the master key is not the one it was written with") from error
