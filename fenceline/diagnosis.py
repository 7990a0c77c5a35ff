"""What is missing on this installation, and which command mends it? One check for each thing that may be wrong."""

import asyncio
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, NamedTuple

from fenceline.settings import Settings

Verdict = Literal["good", "warning", "bad"]

LEAST_FREE_GB = 2.0
MOST_SKEW_S = 2.0
"""Timers wait a second for what is on its way; clocks that differ by more make them fire early or late."""
TIMEOUT_S = 10.0


class Finding(NamedTuple):
    """What was looked at, how it is, and what mends it (empty: nothing need be done)."""

    check: str
    verdict: Verdict
    what: str
    mend: str = ""


Check = Callable[[Settings], Awaitable[list[Finding]]]


async def diagnose(settings: Settings) -> list[Finding]:
    """All findings, in the order in which things should be mended."""
    found: list[Finding] = []
    for check in (_broker, _redis, _master_key, _disk, _ports, _faces, _ways_out, _clock_data):
        found += await check(settings)
    return found


async def _broker(settings: Settings) -> list[Finding]:
    from aiokafka.errors import KafkaError  # noqa: PLC0415  # --help need not wait for these

    from agents.agent import agents_named  # noqa: PLC0415
    from agents.topics import TopicsWrong, check_topics  # noqa: PLC0415

    try:
        async with asyncio.timeout(TIMEOUT_S):
            await check_topics(settings, agents_named())
    except TopicsWrong as error:
        good = Finding("broker", "good", f"{settings.broker} answers")
        mend = "fenceline topics create" if "missing" in str(error) else ""
        return [good, Finding("topics", "bad", str(error), mend)]
    except (KafkaError, OSError, TimeoutError) as error:
        what = f"no answer from {settings.broker}: {error or type(error).__name__}"
        return [Finding("broker", "bad", what, "start a Kafka, or set FENCELINE_BROKER to one")]
    return [
        Finding("broker", "good", f"{settings.broker} answers"),
        Finding("topics", "good", "all are there, partitioned alike"),
    ]


async def _redis(settings: Settings) -> list[Finding]:
    import redis.asyncio as redis  # noqa: PLC0415
    from redis.exceptions import RedisError  # noqa: PLC0415

    store = redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    try:
        seconds, micros = await store.time()
        skew_s = abs(time.time() - (seconds + micros / 1e6))
        policy = (await store.config_get("maxmemory-policy")).get("maxmemory-policy", "noeviction")
    except (RedisError, OSError) as error:
        what = f"no answer: {error or type(error).__name__}"
        return [Finding("redis", "bad", what, "start a Redis, or set FENCELINE_REDIS_URL to one")]
    finally:
        await store.aclose()
    found = [Finding("redis", "good", "answers")]
    if policy != "noeviction":
        what = f"maxmemory-policy is {policy}: it may drop what the console shows, and nonces that were used"
        found.append(Finding("redis memory", "bad", what, "redis-cli config set maxmemory-policy noeviction"))
    if skew_s > MOST_SKEW_S:
        what = f"this machine's clock and that of Redis differ by {skew_s:.1f} s"
        found.append(Finding("clock", "warning", what, "run an NTP client (chrony, systemd-timesyncd) on both"))
    else:
        found.append(Finding("clock", "good", "agrees with that of Redis"))
    return found


async def _master_key(settings: Settings) -> list[Finding]:
    from agents.objectstore import NoMasterKey, master_key_of  # noqa: PLC0415

    try:
        master_key_of(settings)
    except NoMasterKey as error:
        return [Finding("master key", "warning", f"no face can be kept or compared: {error}", _MAKE_KEY)]
    return [Finding("master key", "good", "is there")]


_MAKE_KEY = 'python3 -c "import secrets, base64; print(base64.b64encode(secrets.token_bytes(32)).decode())"'


async def _disk(settings: Settings) -> list[Finding]:
    folder = Path(settings.data_dir)
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < LEAST_FREE_GB:
        what = f"{free_gb:.1f} GB are free for FENCELINE_DATA_DIR ({settings.data_dir})"
        return [Finding("disk", "warning", what, "make room, or set FENCELINE_DATA_DIR to another disk")]
    return [Finding("disk", "good", f"{free_gb:.0f} GB are free for {settings.data_dir}")]


PORTS = {8080: "gateway", 8090: "console"}
"""Where the parts listen, unless they are told otherwise."""


async def _ports(_: Settings) -> list[Finding]:
    taken = [port for port in PORTS if not _is_free(port)]
    if not taken:
        return [Finding("ports", "good", f"{' and '.join(map(str, PORTS))} are free")]
    what = ", ".join(f"{port} ({PORTS[port]})" for port in taken)
    part = PORTS[taken[0]]
    mend = f"fenceline {part} --port N, unless it is fenceline {part} that runs there"
    return [Finding("ports", "warning", f"in use on this machine: {what}", mend)]


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError:
            return False
    return True


async def _faces(settings: Settings) -> list[Finding]:
    return [await asyncio.to_thread(face_model, settings)]


def face_model(settings: Settings, *, fetch: bool = False) -> Finding:
    """Whether the weights of the face model are here. `fetch`: get them where they are published."""
    from agents.faces import Examiner, MissingWeights  # noqa: PLC0415
    from fenceline.comparing import deepface_home  # noqa: PLC0415

    model = settings.face_model
    try:
        examiner = Examiner(model, deepface_home(settings), fetch=fetch)
    except MissingWeights as error:
        mend = f"FENCELINE_FACE_MODEL={model} fenceline doctor --fetch-models"
        return Finding("face model", "bad", str(error), mend)
    except Exception as error:  # what a model's library raises is its own affair
        what = f"{model} cannot be used: {type(error).__name__}: {error}"
        return Finding("face model", "bad", what, "FENCELINE_FACE_MODEL=Dlib works with what is installed")
    return Finding("face model", "good", f"{model}, version {examiner.version}")


async def _ways_out(settings: Settings) -> list[Finding]:
    twilio = (settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from)
    found = []
    if any(twilio) and not all(twilio):
        what = "Twilio is set in part: no SMS is sent"
        mend = "set FENCELINE_TWILIO_ACCOUNT_SID, FENCELINE_TWILIO_AUTH_TOKEN and FENCELINE_TWILIO_FROM"
        found.append(Finding("sms", "bad", what, mend))
    ways = {
        "sms": all(twilio),
        "web push": bool(settings.vapid_private_key),
        "e-mail": bool(settings.smtp_url),
        "webhook": bool(settings.webhook_secret),
    }
    there = [name for name, is_set in ways.items() if is_set]
    if there:
        found.append(Finding("ways out", "good", f"messages go by {', '.join(there)}, and what rosters name"))
    else:
        what = "no SMS, web push, e-mail or webhook is set up: only services that rosters name by URL are reached"
        found.append(Finding("ways out", "warning", what, "see docs/alerts.md for the settings"))
    return found


async def _clock_data(_: Settings) -> list[Finding]:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

    try:
        ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        what = "no time zone data: curfews and quiet hours cannot be judged"
        return [Finding("time zones", "bad", what, "apt-get install tzdata")]
    return [Finding("time zones", "good", "are there")]
