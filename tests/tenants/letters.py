"""Letters as their reader has them: tasks run as the worker runs them, and links are taken out of what was sent."""

import re
from contextlib import contextmanager
from urllib.parse import urlsplit

from django.core import mail
from django.test import TestCase

from tenants import tasks

LETTERS = (
    "send_invitation",
    "send_password_reset",
    "send_sign_up",
    "send_email_change",
    "send_email_changed",
    "send_closed",
)


@contextmanager
def delivered(monkeypatch, settings):
    """What was committed and sent inside is carried out by the worker at the end; yields the outbox."""
    settings.EMAIL_URL = "smtp://mail.example"
    sent = []
    with monkeypatch.context() as patch:
        for name in LETTERS:
            task = getattr(tasks, name)
            patch.setattr(
                task,
                "apply_async",
                lambda args, headers=None, task=task: sent.append((task, args, headers)),
            )
        with TestCase.captureOnCommitCallbacks(execute=True):
            yield mail.outbox
    for task, args, headers in sent:
        task.apply(args=args, headers=headers, throw=True)


def link_in(letter):
    """The path and query of the link in a letter."""
    parts = urlsplit(re.search(r"http\S+", letter.body).group())
    return f"{parts.path}?{parts.query}"
