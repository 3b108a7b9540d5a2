"""The demo is ready once its own documents are."""

import pytest

from config.demo import readiness as demo_readiness
from knowledge.documents import save_document
from knowledge.models import Document, DocumentStatus
from tenants.context import acting_as

pytestmark = pytest.mark.django_db


def save(title: str, external_id: str) -> None:
    save_document(title=title, content=f"All about {title}.", external_id=external_id)


def test_only_the_demos_own_documents_count(acme, bolt, monkeypatch):
    # bolt stands for a customer: its documents say nothing about the demo.
    monkeypatch.setattr(demo_readiness, "tenants", lambda: [acme])
    assert demo_readiness.documents_missing() is None
    with acting_as(acme):
        save("shipping", "demo/shipping")
        save("returns", "demo/returns")
        save("added later", "handbook/1")
    with acting_as(bolt):
        save("prices", "demo/prices")
    assert demo_readiness.documents_missing() == "2 of its documents are still being read"
    with acting_as(acme):
        Document.objects.filter(external_id="demo/shipping").update(status=DocumentStatus.READY)
    assert demo_readiness.documents_missing() == "1 of its documents are still being read"
    with acting_as(acme):
        Document.objects.filter(external_id="demo/returns").update(status=DocumentStatus.FAILED)
    assert (demo_readiness.documents_missing() or "").startswith("1 of its documents could not be read")
    with acting_as(acme):
        Document.objects.filter(external_id="demo/returns").update(status=DocumentStatus.READY)
    assert demo_readiness.documents_missing() is None


def test_without_a_demo_there_is_nothing_to_wait_for(acme, monkeypatch):
    monkeypatch.setattr(demo_readiness, "tenants", list)
    assert demo_readiness.documents_missing() is None
