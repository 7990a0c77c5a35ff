"""Which ways out are set up here? Channels from the settings; what is not set up is not there."""

from agents.channels.apprise_push import ApprisePush
from agents.channels.channel import Channel
from agents.channels.email import Email
from agents.channels.twilio_sms import TwilioSms
from agents.channels.web_push import WebPush
from agents.channels.webhook import Webhook
from fenceline.settings import BadSetting, Settings
from pipeline.channels.receipts import TWILIO_CALLBACK


def channels_of(settings: Settings) -> dict[str, Channel]:
    """The channels by name. To be called inside the event loop.

    Raises:
        BadSetting: a channel is set up half; says which variable is wrong or missing.
    """
    timeout_s = settings.notify_timeout_s
    chosen: list[Channel] = [ApprisePush(timeout_s)]
    if settings.twilio_account_sid:
        if not settings.twilio_auth_token or not settings.twilio_from:
            raise BadSetting("FENCELINE_TWILIO_ACCOUNT_SID also needs FENCELINE_TWILIO_AUTH_TOKEN and _TWILIO_FROM")
        chosen.append(
            TwilioSms(
                settings.twilio_account_sid,
                settings.twilio_auth_token,
                settings.twilio_from,
                callback_url=f"{settings.gateway_url.rstrip('/')}{TWILIO_CALLBACK}" if settings.gateway_url else "",
                base_url=settings.twilio_base_url,
                timeout_s=timeout_s,
            )
        )
    if settings.vapid_private_key:
        try:
            chosen.append(WebPush(settings.vapid_private_key, settings.vapid_contact, timeout_s))
        except Exception as error:  # whatever the library makes of a wrong key
            raise BadSetting(f"FENCELINE_VAPID_PRIVATE_KEY is not a VAPID key: {type(error).__name__}") from error
    if settings.smtp_url:
        try:
            chosen.append(Email(settings.smtp_url, settings.email_from, timeout_s))
        except ValueError as error:
            raise BadSetting(f"FENCELINE_SMTP_URL: {error}") from error
    if settings.webhook_secret:
        chosen.append(Webhook(settings.webhook_secret, timeout_s))
    return {name: channel for channel in chosen for name in channel.names}
