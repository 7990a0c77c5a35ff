"""Who is to be told of this step? A chain's step becomes notices to those on duty."""

from collections.abc import Sequence
from datetime import datetime

from pipeline.alerting.policy import ChainStep, QuietHours
from pipeline.alerting.quiet import not_before
from pipeline.alerting.roster import Rosters
from schemas.alert import Audience, Notice
from schemas.ids import event_id
from schemas.reference import Severity


def step_notices(
    *,
    about: str,
    step: ChainStep,
    level: int,
    agencies: Sequence[str],
    rosters: Rosters,
    quiet: QuietHours | None,
    time_zone: str,
    at: datetime,
    severity: Severity,
    template: str,
    urgent: bool,
) -> tuple[Notice, ...]:
    """The notices of one step of a chain. `about`: what makes it this telling (the alert, the event, the level).

    When nobody is on duty, the notice goes to the audience as such, so that it is never lost for want of a name.
    """
    notices = []
    for agency in agencies:
        people = rosters.on_duty(agency, step.to, at)
        told = people[:1] if step.people == "first" else people
        later = None if urgent else not_before(at, severity, quiet, rosters.time_zone_of(agency, time_zone))
        notices += [
            Notice(
                notice_id=event_id("notice", about, step.to, agency, recipient),
                audience=step.to,
                recipient=recipient,
                agency=agency,
                template=template,
                urgent=urgent,
                not_before=later,
                channels=step.channels,
                level=level,
            )
            for recipient in told or ("",)
        ]
    return tuple(notices)


def wearer_notice(about: str, subject_id: str, agency: str, template: str, urgent: bool = False) -> Notice:
    """The notice to the person themselves; quiet hours do not hold it, for their time to put it right runs."""
    audience: Audience = "subject"
    return Notice(
        notice_id=event_id("notice", about, audience, agency, subject_id),
        audience=audience,
        recipient=subject_id,
        agency=agency,
        template=template,
        urgent=urgent,
    )
