"""Conversations for tests, made through the product's own functions where it has them."""

from typing import Any

from knowledge.documents import save_document
from knowledge.ingest import ingest
from knowledge.models import Document
from tenants.context import acting_as
from tenants.directory import claim
from tenants.models import KeyKind, Tenant
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


def known_widget(owner: Tenant, **fields: object) -> Widget:
    """A widget that the directory leads to, so that a visitor can boot."""
    made = widget(owner, **fields)
    with acting_as(owner):
        claim(KeyKind.WIDGET, made.public_key)
    return made


def teach(owner: Tenant, title: str, content: str, **fields: Any) -> Document:
    """A document of `owner` that search finds: saved and processed as a worker would."""
    with acting_as(owner) as ref:
        document = save_document(title=title, content=content, **fields).document
    ingest(ref, document.pk)
    return document
