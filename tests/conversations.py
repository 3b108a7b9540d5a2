"""Conversations for tests, made through the product's own functions where it has them."""

from tenants.context import acting_as
from tenants.models import Tenant
from widgets.models import Session, Visitor, Widget


def widget(owner: Tenant, **fields: object) -> Widget:
    """A widget of `owner` for https://<slug>.example."""
    with acting_as(owner):
        fields.setdefault("domain_whitelist", [f"https://{owner.slug}.example"])
        return Widget.objects.create(
            name="Main", public_key=f"pk_{owner.slug}_{Widget.objects.count()}", **fields
        )


def session(owner: Tenant, **fields: object) -> Session:
    """An open session of a new visitor with a new widget of `owner`."""
    made = widget(owner)
    with acting_as(owner):
        visitor = Visitor.objects.create(widget=made)
        return Session.objects.create(widget=made, visitor=visitor, **fields)
