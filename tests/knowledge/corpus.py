"""The demo's documents, saved and processed for a tenant."""

import re

from config.env import CHECKOUT
from knowledge import ingest
from knowledge.documents import save_document
from knowledge.models import Document
from tenants.context import TenantRef, acting_as

HEAD = re.compile(
    r'---\ntitle: "(?P<title>[^"]+)"\ncategory: (?P<category>\w+)\nurl: (?P<url>\S+)\n---\n(?P<content>.*)',
    re.DOTALL,
)


def ref(tenant):
    return TenantRef(tenant.pk, tenant.schema_name)


def pages(slug):
    """The fields of each document of a corpus; the external_id is the file's name."""
    for path in sorted((CHECKOUT / "knowledge" / "corpus" / slug).glob("*.md")):
        found = HEAD.fullmatch(path.read_text()).groupdict()
        url = found.pop("url")
        yield {**found, "metadata": {"url": url}, "external_id": path.stem}


def load(tenant, slug):
    """Every document of the corpus, ready to be found."""
    for page in pages(slug):
        add(tenant, **page)


def add(tenant, **fields):
    """One document, saved and processed."""
    with acting_as(tenant):
        document = save_document(**fields).document
    ingest.ingest(ref(tenant), document.pk)
    with acting_as(tenant):
        return Document.objects.get(pk=document.pk)
