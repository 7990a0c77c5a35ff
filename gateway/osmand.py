"""What does a phone or tracker say that speaks the OsmAnd protocol? Its parameters or JSON as fixes.

Traccar's description: https://www.traccar.org/osmand/. Two forms:

| parameters (GET or form POST) | unit | `Fix` |
| --- | --- | --- |
| id, deviceid | claimed; checked against the token | device_id |
| timestamp | epoch s, epoch ms, RFC 3339, or ``2026-11-23 09:30:00`` in UTC; required | fix_time |
| lat, lon, or location=lat,lon | degrees; required | lat, lon |
| speed | knots (1852 m / 3600 s); negative: unknown | speed_mps |
| bearing, heading | degrees | course_deg |
| altitude | m | altitude_m |
| accuracy | m; unless positive: unknown | accuracy_m |
| hdop | only if no accuracy: times 5 m, a civil receiver's range error (one sigma, UERE) | accuracy_m |
| batt | per cent | battery_pct |
| charge, charging | true, false | charging |
| sat | number | satellites |
| alarm | Traccar's names, several by comma | alarms |
| mock | true | mock |
| cell=mcc,mnc,lac,cid[,signal] | | carrier, cell_id |
| valid=false | the receiver itself says no | no fix |
| driverUniqueId, wifi, others | | not used |

| JSON (Traccar Client from 9.0) | unit | `Fix` |
| --- | --- | --- |
| device_id | claimed; checked against the token | device_id |
| location.timestamp | RFC 3339; required | fix_time |
| location.coords.latitude, .longitude | degrees; required | lat, lon |
| location.coords.accuracy, .altitude | m | accuracy_m, altitude_m |
| location.coords.speed | m/s (not knots); -1: unknown | speed_mps |
| location.coords.heading | degrees; -1: unknown | course_deg |
| location.battery.level | 0 to 1; -1: unknown | battery_pct = 100 × level |
| location.battery.is_charging | | charging |
| location.mock, location.extras.alarm | | mock, alarms |

A message without a position (a heartbeat) is no fix and no fault. A position without a time is refused: Traccar takes
the time of arrival, but a position that waited an hour in a tunnel would then be evidence for the wrong hour.
"""

from collections.abc import Mapping
from typing import Any

from gateway.plain import bounded, measure, moment, truth, words
from schemas.fix import Fix
from schemas.message import Invalid

MPS_PER_KNOT = 1852 / 3600
RANGE_ERROR_M = 5.0
_ALARMS = {
    "sos": "sos",
    "tampering": "tamper",
    "removing": "tamper",
    "lowBattery": "low_battery",
    "powerOff": "power_off",
    "powerCut": "power_off",
    "jamming": "jamming",
    "fallDown": "fall",
    "geofence": "geofence",
    "geofenceExit": "geofence",
    "geofenceEnter": "geofence",
    "overspeed": "overspeed",
}
"""Traccar's alarm names (Position.ALARM_...) as ours; others pass as they are."""


_KNOWN = frozenset({"id", "deviceid", "timestamp", "lat", "lon", "location", "valid", "batt"})


def claimed_by_parameters(given: Mapping[str, str]) -> str | None:
    """The device that the parameters claim to come from."""
    return given.get("id") or given.get("deviceid") or None


def claimed_by_json(payload: Any) -> str | None:
    """The device that a JSON body claims to come from."""
    return words(payload.get("device_id"), 128) if isinstance(payload, dict) else None


def fix_of_parameters(given: Mapping[str, str], device_id: str) -> Fix | None:
    """The fix of `device_id` in the parameters; None for a heartbeat, or a position the receiver calls invalid.

    Raises:
        Invalid: a position that cannot be used; names the parameter.
    """
    if not _KNOWN & given.keys():
        raise Invalid("neither parameters of the OsmAnd protocol nor JSON")
    lat, lon = given.get("lat"), given.get("lon")
    if lat is None and lon is None and "location" in given:
        lat, _, lon = given["location"].partition(",")
    if (lat is None and lon is None) or truth(given.get("valid", "true")) is False:
        return None
    for name, value in (("lat", lat), ("lon", lon), ("timestamp", given.get("timestamp"))):
        if not value:
            raise Invalid(f"missing required parameter `{name}`", f"$.{name}")
    speed_kn = measure(given.get("speed"), 0, 19000)
    hdop = measure(given.get("hdop"), 0, 1000)
    satellites = measure(given.get("sat"), 0, 1000)
    carrier, cell_id = _cell(given.get("cell", ""))
    return Fix(
        device_id=device_id,
        fix_time=moment(given["timestamp"], "$.timestamp"),
        lat=bounded(lat, "$.lat", -90, 90),
        lon=bounded(lon, "$.lon", -180, 180),
        accuracy_m=measure(given.get("accuracy"), 0, 1e7) or (hdop * RANGE_ERROR_M if hdop else None),
        speed_mps=None if speed_kn is None else speed_kn * MPS_PER_KNOT,
        course_deg=measure(given.get("bearing") or given.get("heading"), 0, 360),
        altitude_m=measure(given.get("altitude"), -1e5, 1e6),
        battery_pct=measure(given.get("batt"), 0, 100),
        charging=truth(given.get("charge") or given.get("charging")),
        satellites=None if satellites is None else int(satellites),
        alarms=_alarms(given.get("alarm")),
        mock=truth(given.get("mock")) is True,
        carrier=carrier,
        cell_id=cell_id,
    )


def locations_of(payload: Any) -> list[Any]:
    """The locations in the JSON of Traccar Client: one, or several when the app sends what it has saved up.

    Raises:
        Invalid: not of that form.
    """
    if not isinstance(payload, dict) or not {"location", "device_id"} & payload.keys():
        raise Invalid("Expected `object` with `location` and `device_id`")
    location = payload.get("location")
    return location if isinstance(location, list) else [] if location is None else [location]


def fix_of_json(location: Any, device_id: str) -> Fix | None:
    """The fix of `device_id` in one location of Traccar Client's JSON; None for a heartbeat.

    Raises:
        Invalid: not of that form, or a position that cannot be used; names the field.
    """
    if not isinstance(location, dict):
        raise Invalid("Expected `object`", "$.location")
    coords = location.get("coords")
    if coords is None:
        return None
    if not isinstance(coords, dict):
        raise Invalid("Expected `object`", "$.location.coords")
    for name in ("latitude", "longitude"):
        if coords.get(name) is None:
            raise Invalid(f"Object missing required field `{name}`", "$.location.coords")
    if location.get("timestamp") is None:
        raise Invalid("Object missing required field `timestamp`", "$.location")
    battery, extras = _part(location, "battery"), _part(location, "extras")
    level = measure(battery.get("level"), 0, 1)
    return Fix(
        device_id=device_id,
        fix_time=moment(location["timestamp"], "$.location.timestamp"),
        lat=bounded(coords["latitude"], "$.location.coords.latitude", -90, 90),
        lon=bounded(coords["longitude"], "$.location.coords.longitude", -180, 180),
        accuracy_m=measure(coords.get("accuracy"), 0, 1e7) or None,
        speed_mps=measure(coords.get("speed"), 0, 1e4),
        course_deg=measure(coords.get("heading"), 0, 360),
        altitude_m=measure(coords.get("altitude"), -1e5, 1e6),
        battery_pct=None if level is None else round(level * 100, 3),
        charging=truth(battery.get("is_charging")),
        alarms=_alarms(extras.get("alarm") or location.get("alarm")),
        mock=truth(location.get("mock")) is True,
    )


def _part(location: dict[str, Any], name: str) -> dict[str, Any]:
    part = location.get(name)
    return part if isinstance(part, dict) else {}


def _alarms(text: Any) -> tuple[str, ...]:
    given = words(text, 256)
    names = [part.strip() for part in given.split(",")] if given else []
    return tuple(dict.fromkeys(_ALARMS.get(name, name) for name in names if name))


def _cell(text: str) -> tuple[str | None, str | None]:
    parts = text.split(",")
    if len(parts) < 4 or not all(part.isascii() and part.isdigit() and len(part) <= 12 for part in parts[:4]):
        return None, None
    mcc, mnc, area, cell = parts[:4]
    return f"{mcc}-{mnc}", f"{area}-{cell}"
