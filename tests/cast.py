"""The people and companies of the tests."""

from tenants.context import acting_as
from tenants.creating import create_tenant, create_user
from tenants.models import Tenant, User
from tenants.permissions import Role


def tenant(slug: str, *, schema_name: str = "pool") -> Tenant:
    """A tenant with its directory keys and nothing else."""
    return create_tenant(slug.capitalize(), slug, schema_name=schema_name)


def api_key(owner: Tenant, *scopes: str) -> str:
    """The secret of a key of `owner` with these scopes (all, when none is named)."""
    from tenants.authentication import SCOPES, issue_api_key

    with acting_as(owner):
        return issue_api_key("tests", scopes or SCOPES)[1]


def person(owner: Tenant, email: str, *, name: str = "", role: str = "owner") -> User:
    """Somebody of `owner`'s, with a password that tests know."""
    with acting_as(owner):
        return create_user(email, "a long enough password", name=name, role=Role(role))
