"""All settings, from the environment (`FENCELINE_...`); the only module that reads it."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Literal

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What may differ between installations. Each field is read from `FENCELINE_<FIELD IN CAPITALS>`."""

    broker: str = "127.0.0.1:9092"
    redis_url: str = "redis://127.0.0.1:6379/0"
    partitions: int = 16
    replication: int = 1
    data_dir: str = ".fenceline"
    mqtt_url: str = ""
    worker_instance: str = ""
    worker_session_timeout_s: float = 10.0
    worker_checkpoint_s: float = 2.0
    worker_stalled_s: float = 60.0
    master_key: str = ""
    object_store: str = ""
    face_model: str = "Dlib"
    face_processes: int = 1
    face_fmr: float = 1e-3
    face_fnmr: float = 1e-2
    face_calibration: str = ""
    checkin_challenge_s: float = 180.0
    checkin_max_bytes: int = 24 * 1024 * 1024
    checkin_picture_days: int = 30
    video_link: str = "https://meet.jit.si/fenceline-{room}"
    video_check_s: float = 1800.0
    worker_log_level: Literal["debug", "info", "warning", "error"] = "info"
    gateway_url: str = ""
    gateway_max_body_bytes: int = 1024 * 1024
    gateway_max_unpacked_bytes: int = 10 * 1024 * 1024
    gateway_max_fixes: int = 10_000
    gateway_max_requests: int = 1_000
    gateway_in_flight_fixes: int = 50_000
    gateway_ack_timeout_s: float = 8.0
    gateway_body_timeout_s: float = 15.0
    gateway_device_fixes_per_s: float = 50.0
    gateway_device_burst: float = 20_000.0
    gateway_feed_fixes_per_s: float = 50_000.0
    gateway_feed_burst: float = 200_000.0
    console_url: str = ""
    console_gateway: str = ""
    console_base_map: str = ""
    console_attribution: str = ""
    console_agencies: str = "police,procuratorate,court,justice-bureau"
    console_max_import_bytes: int = 8 * 1024 * 1024
    console_session_h: float = 12.0
    console_idle_min: float = 30.0
    console_secure_cookies: bool = True
    twilio_account_sid: str = ""
    twilio_auth_token: str = ""
    twilio_from: str = ""
    twilio_base_url: str = ""
    vapid_private_key: str = ""
    vapid_contact: str = "mailto:operator@localhost"
    smtp_url: str = ""
    email_from: str = "fenceline@localhost"
    webhook_secret: str = ""
    notify_timeout_s: float = 10.0
    notify_at_once: int = 16


class BadSetting(ValueError):
    """A setting that cannot be used; says which variable and why."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`; unknown `FENCELINE_` variables are refused, so that a typing error is not silent.

    Raises:
        BadSetting: a value of the wrong type, or an unknown variable.
    """
    given = {
        name.removeprefix("FENCELINE_").lower(): value
        for name, value in environ.items()
        if name.startswith("FENCELINE_") and value
    }
    unknown = sorted(given.keys() - set(Settings.__struct_fields__))
    if unknown:
        raise BadSetting(
            f"unknown setting FENCELINE_{unknown[0].upper()}; known: "
            + ", ".join(f"FENCELINE_{name.upper()}" for name in Settings.__struct_fields__)
        )
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSetting(f"FENCELINE_ settings: {error}") from error


@cache
def settings() -> Settings:
    """The settings of this process."""
    return read_settings(os.environ)
