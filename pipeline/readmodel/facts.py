"""What do incidents leave behind? Breaches that are or were open, silent devices, check-ins; and themselves."""

import msgspec

from pipeline.readmodel.draft import Draft, Places, Reading, Told
from pipeline.readmodel.layout import age, index, joined, of_subject
from schemas.incident import Incident
from schemas.message import Id, Message, Moment, decode, encode


class Breach(Message, frozen=True, kw_only=True):
    """A breach as its incidents tell it. `withdrawn`: later data says that it was none."""

    breach_id: Id
    subject_id: Id
    activation_id: str = ""
    agency: str = ""
    fence_id: str = ""
    fence_name: str = ""
    since: Moment | None = None
    until: Moment | None = None
    incident_id: str = ""
    withdrawn: bool = False


class Device(Message, frozen=True, kw_only=True):
    """Whether a device is silent; `at`: when that was found."""

    device_id: Id
    subject_id: Id
    agency: str = ""
    silent_since: Moment | None = None
    at: Moment


def incident_places(incident: Incident) -> Places:
    """By person and time; check-ins also apart."""
    name, subject, at_s = incident.incident_id, incident.subject_id, incident.occurred_at.timestamp()
    places: Places = {(of_subject("incidents", subject), name): at_s, (age("incidents"), name): at_s}
    if incident.type.startswith("checkin."):
        places[of_subject("checkins", subject), name] = at_s
    return places


def breach_places(breach: Breach) -> Places:
    """By person; open ones by agency."""
    name = breach.breach_id
    since_s = 0.0 if breach.since is None else breach.since.timestamp()
    places: Places = {(of_subject("breaches", breach.subject_id), name): since_s}
    if breach.until is None and not breach.withdrawn:
        member = joined(breach.subject_id, joined(breach.activation_id, name))
        places[index("breaches-open", breach.agency), member] = since_s
    else:
        places[age("breaches"), name] = since_s if breach.until is None else breach.until.timestamp()
    return places


def device_places(device: Device) -> Places:
    """Silent ones by agency."""
    if device.silent_since is None:
        return {}
    return {
        (index("silent", device.agency), joined(device.subject_id, device.device_id)): device.silent_since.timestamp()
    }


def read_incident(incident: Incident) -> Reading:
    """Keep `incident` and what follows from it. When it was said does not matter: a repeat is the same."""
    bare = msgspec.structs.replace(incident, emitted_at=None)
    row = ("incidents", bare.incident_id)
    breach, device = ("breaches", bare.breach_id), ("devices", bare.device_id)
    tells_breach = bool(bare.breach_id) and bare.type.startswith("breach.")
    tells_device = bool(bare.device_id) and bare.type in ("device.silent", "device.back")

    def apply(draft: Draft) -> None:
        raw = draft.get(row)
        before = {} if raw is None else incident_places(decode(raw, Incident))
        draft.put(row, encode(bare))
        draft.move(before, incident_places(bare))
        if tells_breach:
            _breach(draft, breach, bare)
        if tells_device:
            _device(draft, device, bare)

    return Reading((row, *((breach,) if tells_breach else ()), *((device,) if tells_device else ())), apply)


def _breach(draft: Draft, row: tuple[str, str], incident: Incident) -> None:
    raw = draft.get(row)
    old = None if raw is None else decode(raw, Breach)
    new = old or Breach(breach_id=incident.breach_id, subject_id=incident.subject_id)
    match incident.type:
        case "breach.opened":
            changes = {
                "agency": incident.agency,
                "activation_id": incident.activation_id,
                "fence_id": incident.fence_id,
                "fence_name": incident.fence_name,
                "since": incident.occurred_at,
                "incident_id": incident.incident_id,
            }
        case "breach.closed":
            changes = {"until": incident.occurred_at}
        case _:
            changes = {"withdrawn": True}
    new = msgspec.structs.replace(new, **changes)
    if new == old:
        return
    draft.put(row, encode(new))
    draft.move({} if old is None else breach_places(old), breach_places(new))
    draft.tell(Told("person", incident.subject_id, incident.subject_id, (incident.agency,) if incident.agency else ()))


def _device(draft: Draft, row: tuple[str, str], incident: Incident) -> None:
    raw = draft.get(row)
    old = None if raw is None else decode(raw, Device)
    if old is not None and old.at > incident.detected_at:
        return
    new = Device(
        device_id=incident.device_id,
        subject_id=incident.subject_id,
        agency=incident.agency,
        silent_since=incident.occurred_at if incident.type == "device.silent" else None,
        at=incident.detected_at,
    )
    if new == old:
        return
    draft.put(row, encode(new))
    draft.move({} if old is None else device_places(old), device_places(new))
    draft.tell(Told("person", incident.subject_id, incident.subject_id, (incident.agency,) if incident.agency else ()))
