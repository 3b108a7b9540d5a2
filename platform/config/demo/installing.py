"""Installing the demo: once, through the same functions that a tenant's own clicks and calls go through."""

import secrets
from collections.abc import Callable
from typing import Final

from django.conf import settings

from config.demo import corpus, credentials, past
from config.demo.companies import COMPANIES, Company
from config.demo.credentials import Login
from knowledge.documents import save_document
from tenants.auditing import doing_as
from tenants.authentication import SCOPES, issue_api_key
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.directory import resolve_tenant
from tenants.models import KeyKind, Tenant
from tenants.permissions import Role
from tenants.provisioning import provision
from widgets.editing import update_widget
from widgets.models import Widget

PASSWORD_BYTES: Final = 12


def install(report: Callable[[str], None]) -> list[Login]:
    """Make whichever demo company is not there yet, and keep its logins. Running it again changes nothing."""
    logins = credentials.kept(settings.FRONTDESK_HOME)
    for company in COMPANIES:
        if resolve_tenant(KeyKind.SLUG, company.slug) is None:
            # Each company is kept as soon as it is committed: its password can be read nowhere else.
            logins = [login for login in logins if login["slug"] != company.slug] + [_install(company)]
            credentials.keep(settings.FRONTDESK_HOME, logins)
            report(f"demo company {company.name} is there")
    return logins


def _install(company: Company) -> Login:
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    tenant = provision(
        company.name,
        company.slug,
        plan=company.plan,
        websites=company.origins,
        settings={
            "maxMonthlySpend": company.monthly_budget,
            "timezone": "UTC",
            "features": company.features,
            "demo": True,
        },
    )
    with acting_as(tenant):
        owner = create_user(company.owner_email, password, name=company.owner_name, role=Role.OWNER)
        first = Widget.objects.get()
        widget = update_widget(first.pk, name=company.widget_name, settings=company.widget_settings)
        _, api_key = issue_api_key("Demo", SCOPES, created_by=owner)
        _save_documents(company)
        # What visitors once asked is nobody's change.
        with doing_as(None):
            past.invent(company.slug, widget, company.questions)
    return {
        "slug": company.slug,
        "plan": tenant.plan,
        "email": company.owner_email,
        "password": password,
        "api_key": api_key,
        "widget_key": widget.public_key,
        "origin": company.origins[0],
    }


def _save_documents(company: Company) -> None:
    for document in corpus.read(company.corpus):
        save_document(
            title=document.title,
            content=document.content,
            category=document.category,
            external_id=f"demo/{document.name}",
            metadata={"url": f"{settings.BASE_URL}/demo/{company.slug}/#{document.name}"},
        )


def tenants() -> list[Tenant]:
    """The demo's tenants that are there."""
    found = []
    for company in COMPANIES:
        ref = resolve_tenant(KeyKind.SLUG, company.slug)
        if ref is not None:
            with acting_as(ref):
                found.append(Tenant.objects.get(pk=ref.id))
    return found
