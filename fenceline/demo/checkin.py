"""How does somebody check in, in the demo? Enrolled and then as a telephone does it: challenge, photograph, answer.

The face is Grace Hopper's, from a photograph of the US Navy that comes with matplotlib; the model is the real one.
"""

import asyncio
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx
from PIL import Image, ImageEnhance

from agents.objectstore import master_key_of
from fenceline.demo.stack import Stack, free_port
from fenceline.demo.town import Person
from fenceline.settings import read_settings
from gateway.keystore import KeyStore
from pipeline.credentials import digest, token_text
from schemas.credential import Credential
from schemas.times import instant

PATIENCE_S = 60.0


def photograph(light: float = 1.0) -> bytes:
    """The face, as a telephone's camera would send it, in more or less light."""
    raw = (files("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg").read_bytes()
    sink = io.BytesIO()
    ImageEnhance.Brightness(Image.open(io.BytesIO(raw)).convert("RGB")).enhance(light).save(sink, "JPEG", quality=90)
    return sink.getvalue()


async def by_phone(url: str, token: str, picture: bytes, fix: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """One check-in at the gateway at `url`; the movements that were asked for, and what became of it.

    Raises:
        httpx.HTTPStatusError: the gateway refused.
        TimeoutError: nothing became of it in time.
    """
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
        asked = (await client.post("/v1/checkins/challenges")).raise_for_status().json()
        form = {"nonce": asked["nonce"], "fix": json.dumps(fix)}
        taken = await client.post("/v1/checkins", data=form, files={"picture": ("face.jpg", picture)})
        checkin_id = taken.raise_for_status().json()["checkin_id"]
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = (await client.get(f"/v1/checkins/{checkin_id}")).raise_for_status()
                if answer.status_code == httpx.codes.OK:
                    result: dict[str, Any] = answer.json()
                    return asked["prompts"], result
                await asyncio.sleep(0.2)


def fix_of(person: Person, at: datetime) -> dict[str, Any]:
    """Where the person's phone says that it is."""
    told = person.report(at)
    return {"lat": told["lat"], "lon": told["lon"], "accuracy_m": told["acc"], "fix_time": str(instant(at))}


async def check_in(stack: Stack, person: Person, say: Callable[[str], None]) -> None:
    """Start the examiner, enrol `person`, and let them check in once; told through `say`.

    Raises:
        PartFailed: a part did not start, or the photograph could not be enrolled.
    """
    path = Path(stack.environ["FENCELINE_DATA_DIR"]) / "face.jpg"
    path.write_bytes(photograph())
    await asyncio.to_thread(stack.run, ["enroll", person.subject_id, str(path), "--by", "demo"])
    port = free_port()
    await asyncio.to_thread(stack.start, "examiner", ["examiner", "--health-port", str(port)], port)
    token = await _token(stack.broker, person)
    say("enrolled with Grace Hopper's photograph, checks in by phone ...")
    started = datetime.now(UTC)
    await _known(stack.urls["gateway"], token)
    try:
        prompts, result = await by_phone(stack.urls["gateway"], token, photograph(1.1), fix_of(person, started))
    except (httpx.HTTPError, TimeoutError) as error:
        say(f"the check-in did not go through: {error!r}")
        return
    asked = " and ".join(prompt.replace("_", " ") for prompt in prompts)
    say(f"checked in: {result['state']} (a clip would have had to show: {asked}; this was a still)")
    say("check in on their page with your own face, and the desk gets a video check instead")


def make_key(stack: Stack) -> None:
    """See that pictures can be kept, before the gateway starts."""
    master_key_of(read_settings(stack.environ), make=True)


async def _token(broker: str, person: Person) -> str:
    token_id, secret = f"demo{person.number:04d}page", token_urlsafe(32)
    credential = Credential(
        token_id=token_id,
        principal=person.subject_id,
        role="subject",
        device_ids=(person.device_id,),
        secret_sha256=digest(secret),
        created_at=instant(datetime.now(UTC)),
    )
    async with KeyStore(broker) as store:
        await store.write(credential)
    return token_text(credential.token_id, secret)


async def _known(url: str, token: str) -> None:
    """Wait until the gateway has read the token."""
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        async with asyncio.timeout(PATIENCE_S):
            while (await client.get("/v1/checkins/none")).status_code == httpx.codes.UNAUTHORIZED:
                await asyncio.sleep(0.1)
