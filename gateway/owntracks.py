"""What does an OwnTracks app say? Its JSON messages as fixes.

Fields of ``_type: location`` (https://owntracks.org/booklet/tech/json/) and what becomes of them:

| OwnTracks | unit | `Fix` |
| --- | --- | --- |
| lat, lon | degrees, WGS 84; required | lat, lon |
| tst | epoch seconds of the fix; required | fix_time |
| acc | m | accuracy_m; unless positive: unknown |
| vel | km/h | speed_mps = vel / 3.6; negative (iOS): unknown |
| cog | degrees | course_deg; negative (iOS): unknown |
| alt | m | altitude_m |
| batt | per cent | battery_pct; negative (iOS): unknown |
| bs | 0 unknown, 1 unplugged, 2 charging, 3 full | charging: None, False, True, True |
| source (Android) | gps, network, fused, passive | provider: gnss, network, fused; else as it is |
| mcc, mnc, cid (trackers) | | carrier ``mcc-mnc``, cell_id |
| topic, tid, t, m, conn, inregions, created_at ... | | not used: the device is who its token says it is |

``inregions`` and ``transition`` are the phone's own opinion of its own fences; ours are judged here.
"""

from typing import Any

from gateway.plain import bounded, measure, moment, words
from schemas.fix import Fix
from schemas.message import Invalid

KMH_PER_MPS = 3.6
_CHARGING = {1: False, 2: True, 3: True}
_PROVIDER = {"gps": "gnss"}

NOT_POSITIONS = {
    "lwt": "the app went offline",
    "status": "the app's settings",
    "waypoint": "a region drawn on the phone",
    "waypoints": "regions drawn on the phone",
    "transition": "the phone's own opinion of a region",
    "beacon": "a Bluetooth beacon in range",
    "card": "the owner's name and picture",
    "cmd": "a command",
    "configuration": "the app's settings",
    "dump": "the app's settings",
    "steps": "a step count",
    "request": "a request of the app",
    "msg": "a message of the app",
}
"""Other messages of the apps: answered kindly, kept out."""

ENCRYPTED = "payload is encrypted on the phone; switch the app's encryption key off, TLS protects the way"


def fix_of(payload: Any, device_id: str) -> Fix | None:
    """The fix of `device_id` in a message of the app; None for one that carries no position.

    Raises:
        Invalid: not a message of OwnTracks, encrypted, or a location that cannot be used; names the field.
    """
    if not isinstance(payload, dict):
        raise Invalid("Expected `object`")
    kind = payload.get("_type")
    if kind == "encrypted":
        raise Invalid(ENCRYPTED, "$._type")
    if isinstance(kind, str) and kind in NOT_POSITIONS:
        return None
    if kind != "location":
        raise Invalid("Expected `_type`: location, or another message type of OwnTracks", "$._type")
    for name in ("lat", "lon", "tst"):
        if name not in payload:
            raise Invalid(f"Object missing required field `{name}`")
    speed_kmh = measure(payload.get("vel"), 0, 36000)
    source = words(payload.get("source"))
    return Fix(
        device_id=device_id,
        fix_time=moment(payload["tst"], "$.tst"),
        lat=bounded(payload["lat"], "$.lat", -90, 90),
        lon=bounded(payload["lon"], "$.lon", -180, 180),
        accuracy_m=measure(payload.get("acc"), 0, 1e7) or None,
        speed_mps=None if speed_kmh is None else speed_kmh / KMH_PER_MPS,
        course_deg=measure(payload.get("cog"), 0, 360),
        altitude_m=measure(payload.get("alt"), -1e5, 1e6),
        battery_pct=measure(payload.get("batt"), 0, 100),
        charging=_CHARGING.get(_whole(payload.get("bs"), 1, 3) or 0),
        provider=_PROVIDER.get(source, source) if source else None,
        carrier=_carrier(payload),
        cell_id=_cell(payload.get("cid")),
    )


def device_in_topic(topic: str) -> tuple[str, str]:
    """The user and the device that ``owntracks/<user>/<device>`` names.

    Raises:
        Invalid: a topic of another form.
    """
    match topic.split("/"):
        case [_, user, device] if user and device:
            return user, device
    raise Invalid("Expected a topic of the form owntracks/<user>/<device>", "$.topic")


def _carrier(payload: dict[str, Any]) -> str | None:
    mcc, mnc = _whole(payload.get("mcc"), 1, 999), _whole(payload.get("mnc"), 0, 999)
    return None if mcc is None or mnc is None else f"{mcc}-{mnc}"


def _cell(value: Any) -> str | None:
    cell = _whole(value, 1, 2**40)
    return words(value) if cell is None else str(cell)


def _whole(value: Any, low: int, high: int) -> int | None:
    return value if type(value) is int and low <= value <= high else None
