"""SECRET_KEY is rotated: what was signed under the former one stays good while it stands in SECRET_KEY_FALLBACKS."""

import pytest
from django.core import mail
from django.test import Client

from tests.admin.conftest import sign_in  # noqa: F401 - a fixture
from tests.conversations import known_widget
from tests.tenants.letters import link_in
from tests.tenants.test_resetting_password import EMAIL, NEW, ask  # noqa: F401 - a fixture
from tests.widgets.chat.visitors import boot

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rotate(settings):
    """rotate(): another SECRET_KEY, the former one among the fallbacks; rotate(forget=True): it is taken off."""

    def rotated(*, forget=False):
        settings.SECRET_KEY_FALLBACKS = [] if forget else [settings.SECRET_KEY]
        settings.SECRET_KEY = settings.SECRET_KEY if forget else "another-key-" * 4

    return rotated


def test_a_person_stays_signed_in(acme, bolt, sign_in, rotate):  # noqa: F811 - the fixture
    client, other = sign_in(acme), sign_in(bolt)
    rotate()
    assert client.get("/admin/").status_code == 200
    rotate(forget=True)
    # Who came by in the meantime is signed in under the new key; who did not signs in again.
    assert client.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302


@pytest.mark.parametrize(("forget", "told"), [(False, "It is set"), (True, "This link was used")])
def test_a_letters_link_stays_good(acme, sign_in, ask, rotate, forget, told):  # noqa: F811 - the fixtures
    sign_in(acme)
    ask(EMAIL)
    rotate()
    if forget:
        rotate(forget=True)
    assert told in Client().post(link_in(mail.outbox[0]), NEW).content.decode()


def test_a_visitors_token_stays_good(acme, rotate):
    widget = known_widget(acme)
    token = boot(widget).json()["visitor_token"]
    rotate()
    client = Client(headers={"Origin": widget.domain_whitelist[0], "Authorization": f"Bearer {token}"})
    assert client.get("/widget/v1/messages?after=0").status_code == 200
    rotate(forget=True)
    assert client.get("/widget/v1/messages?after=0").status_code == 401
