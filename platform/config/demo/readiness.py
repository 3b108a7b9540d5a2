"""Are the demo's documents there to be asked about?"""

from django.conf import settings

from config.demo import credentials
from knowledge.models import Document, DocumentStatus
from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind


def demo_missing() -> str | None:
    """What of the demo is not ready yet, as a sentence; None where it is, or where no demo is installed."""
    for login in credentials.kept(settings.FRONTDESK_HOME):
        tenant = resolve_tenant(KeyKind.SLUG, login["slug"])
        if tenant is None:
            return f"the demo company {login['slug']} is gone: remove demo.json from FRONTDESK_HOME"
        with acting_as(tenant):
            waiting = Document.objects.present().exclude(status=DocumentStatus.READY)
            failed = waiting.filter(status=DocumentStatus.FAILED, external_id__startswith="demo/").count()
            pending = waiting.filter(external_id__startswith="demo/").count() - failed
        if failed:
            return f"{failed} demo documents of {login['slug']} could not be processed: see the admin"
        if pending:
            return f"{pending} demo documents of {login['slug']} are still being processed"
    return None
