from urllib.parse import urlsplit

import pytest
from django.conf import settings

from kernel.outbound import fetch
from tenants.webhooks import delivering
from tests.tenants.webhooks.receiver import Clock, Receiver


@pytest.fixture
def receivers(monkeypatch):
    """Makes receivers, and closes them. They are all that can be reached."""
    made = []

    def reaching(url, **options):
        port = urlsplit(url).port
        (network,) = [one.network for one in made if one.port == port]
        return fetch(url, network=network, **options)

    monkeypatch.setattr(delivering, "fetch", reaching)

    def make(*answers):
        made.append(Receiver(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def time_stands(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    """Tests call the worker's part themselves; the messages that would have woken it are counted."""
    from celery import current_app

    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args=(), **_: sent.append((name, *args)))
    settings.EMAIL_URL = ""
    return sent
