"""People who sign in to the admin."""

import pytest
from django.test import Client

from tenants.context import acting_as
from tenants.creating import create_user
from tenants.permissions import Role
from tests.admin.rows import fill

PASSWORD = "a long enough password"


@pytest.fixture(autouse=True)
def _no_tries_yet(redis):
    """Tries at signing in are counted over a day; each test has its own."""


@pytest.fixture
def sign_in():
    """sign_in(tenant, role) → a client signed in as a new person of that tenant, by the login page itself."""

    def through_the_door(tenant, role=Role.OWNER):
        email = f"{role}@{tenant.slug}.example"
        with acting_as(tenant):
            create_user(email, PASSWORD, name=f"{role} of {tenant.slug}", role=role)
        client = Client()
        response = client.post(
            "/admin/login/?next=/admin/", {"username": email.upper(), "password": PASSWORD}
        )
        assert response.status_code == 302, response.context["form"].errors
        return client

    return through_the_door


@pytest.fixture
def filled(acme, bolt):
    """A session of acme's and one of bolt's, each beside one row of everything else."""
    return fill(acme), fill(bolt)
