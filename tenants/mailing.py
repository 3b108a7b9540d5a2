"""Letters to a tenant's people. They are sent by the worker, never while a transaction is open."""

import logging
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage

FOOT: Final = "If you did not expect this mail, you need do nothing."

_log = logging.getLogger(__name__)


def sends_mail() -> bool:
    """Whether this installation can send mail at all (EMAIL_URL)."""
    return bool(settings.EMAIL_URL)


def send(to: str, subject: str, *paragraphs: str) -> bool:
    """Send a plain text; whether it went. Raises OSError (SMTP's errors are) where the server does not take it.

    Without EMAIL_URL nothing is sent and a line in the log says so, without the text: it may hold a link that opens an
    account.
    """
    if not sends_mail():
        _log.warning("a mail was not sent, because EMAIL_URL is unset", extra={"subject": subject})
        return False
    # A name may hold anything; a line break would begin another header.
    EmailMessage(" ".join(subject.split()), "\n\n".join([*paragraphs, FOOT, ""]), to=[to]).send()
    return True
