"""The admin's site: its name and colours, who may sign in, what stands in the sidebar and on the home page.

Each app's admin.py registers its pages with Django's default site, as usual; this site takes them over, and with them
nothing of the libraries'.
"""

from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, SESSION_KEY
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

from config.home import home
from tenants.context import current_tenant
from tenants.models import Tenant
from tenants.sessions import TENANT_KEY
from tenants.signing_in import note_sign_ins

# (group, (model, icon of Material Symbols)...)
SIDEBAR: Final = (
    (
        "Conversations",
        ("widgets.session", "forum"),
        ("widgets.message", "chat"),
        ("widgets.widget", "widgets"),
    ),
    ("Knowledge", ("knowledge.document", "description")),
    ("AI", ("widgets.personality", "psychology")),
    (
        "Costs",
        ("billing.costevent", "receipt_long"),
        ("billing.costsummary", "bar_chart"),
        ("billing.budget", "savings"),
        ("billing.modelprice", "sell"),
    ),
    ("Account", ("tenants.user", "group"), ("tenants.apikey", "key")),
)
TITLES: Final = {"tenants.user": "Team", "tenants.apikey": "API keys"}

# Indigo, dark enough for white text at every weight that carries some (WCAG 2.2 AA).
PRIMARY: Final = {
    "50": "238 242 255", "100": "224 231 255", "200": "199 210 254", "300": "165 180 252", "400": "129 140 248",
    "500": "99 102 241", "600": "79 70 229", "700": "67 56 202", "800": "55 48 163", "900": "49 46 129",
    "950": "30 27 75",
}  # fmt: skip


class FrontdeskAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold ships no types
    """A tenant's people see their tenant; platform staff see no tenant's rows until they act for one."""

    site_title = "Frontdesk"
    index_title = "Home"
    index_template = "admin/home.html"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sign in by email. Whoever is signed in already goes home; a session of somebody who may no longer come in is
        ended first, because its tenant is entered and another cannot be."""
        if request.method == "POST" and (SESSION_KEY in request.session or TENANT_KEY in request.session):
            if not self.has_permission(request):
                request.session.flush()
            return HttpResponseRedirect(reverse("admin:index"))
        if REDIRECT_FIELD_NAME not in request.GET:
            # unfold's form leaves out Django's hidden field, without which one lands on a page that does not exist.
            asked = request.GET.copy()
            asked[REDIRECT_FIELD_NAME] = reverse("admin:index")
            request.GET = asked  # type: ignore[assignment]  # Django's own is of the unchangeable kind
        response: HttpResponse = super().login(request, extra_context)
        return response

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        tenant = current_tenant()
        name = (
            Tenant.objects.values_list("name", flat=True).get(pk=tenant.id) if tenant else "AI support desk"
        )
        return context | {
            "site_title": self.site_title,
            "site_header": self.site_title,
            "site_subheader": name,
            "site_symbol": "support_agent",
            "site_url": None,
            "show_history": False,
            "show_back_button": True,
            "styles": [static("config/admin.css")],
            "scripts": [static("config/admin.js")],
            "colors": {
                **(context.get("colors") or {}),
                "primary": {k: f"rgb({v})" for k, v in PRIMARY.items()},
            },
            "sidebar_navigation": self._sidebar(request) if self.has_permission(request) else [],
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        request.current_app = self.name
        context = {**self.each_context(request), "title": self.index_title, **(extra_context or {})}
        return TemplateResponse(request, self.index_template, {**context, **home(request)})

    def _sidebar(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Groups of the pages that this person may open; none without a tenant."""
        groups: list[dict[str, Any]] = []
        for title, *entries in SIDEBAR:
            items = [item for label, icon in entries if (item := self._item(request, label, icon))]
            if items:
                groups.append(
                    {"title": title, "separator": bool(groups), "collapsible": False, "items": items}
                )
        return groups

    def _item(self, request: HttpRequest, label: str, icon: str) -> dict[str, Any] | None:
        model = apps.get_model(label)
        if not (self.is_registered(model) and self.get_model_admin(model).has_module_permission(request)):
            return None
        link = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        title = TITLES.get(label, str(model._meta.verbose_name_plural).capitalize())
        return {
            "title": title,
            "icon": icon,
            "link": link,
            "active": request.path.startswith(link),
            "has_permission": True,
        }


def _taking_over(default: admin.AdminSite) -> FrontdeskAdminSite:
    ours = FrontdeskAdminSite()
    for model in apps.get_models():
        config = apps.get_app_config(model._meta.app_label)
        if getattr(config, "is_frontdesk", False) and default.is_registered(model):
            ours.register(model, type(default.get_model_admin(model)))
    return ours


note_sign_ins()
site = _taking_over(admin.site)
