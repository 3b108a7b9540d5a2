"""The admin's site: its name and colours, who may sign in, what stands in the sidebar, and the pages of no one table.

Each app's admin.py registers its pages with Django's default site, as usual; this site takes them over, and with them
nothing of the libraries'.
"""

from functools import wraps
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, SESSION_KEY
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.templatetags.static import static
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from unfold.dataclasses import Favicon
from unfold.sites import UnfoldAdminSite

from billing.costs.timezones import tenant_timezone
from config.dashboard_costs import costs
from config.home import home
from tenants.admin.leaving import close_account
from tenants.admin.own import own_email, own_sessions
from tenants.admin.own_second_factor import own_second_factor
from tenants.admin.second_step import SecondStepNeeded, code_page
from tenants.admin.sign_in import SignInForm
from tenants.admin.staff import choose, leave
from tenants.administration import person
from tenants.context import current_tenant
from tenants.ending_sessions import end_sessions
from tenants.middleware import OWN_PATHS
from tenants.models import Tenant
from tenants.second_factor import is_missing
from tenants.sessions import TENANT_KEY
from tenants.signing_in import note_sign_ins
from tenants.visiting import visit_of
from widgets.admin.bench import search_bench


class Entry(NamedTuple):
    """One line of the sidebar: a model's list, or a page of its own for those who have `permission`."""

    title: str
    icon: str
    model: str = ""
    page: str = ""
    permission: str = ""


# Icons by their names in Material Symbols.
SIDEBAR: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    ("", (Entry("Home", "home", page="admin:index"),)),
    (
        "Conversations",
        (
            Entry("Sessions", "forum", "widgets.session"),
            Entry("Messages", "chat", "widgets.message"),
            Entry("Meetings", "video_call", "meetings.meeting"),
        ),
    ),
    (
        "Knowledge",
        (
            Entry("Documents", "description", "knowledge.document"),
            Entry(
                "Search bench",
                "manage_search",
                page="admin:search_bench",
                permission="knowledge.view_document",
            ),
        ),
    ),
    (
        "AI and widgets",
        (
            Entry("Widgets", "widgets", "widgets.widget"),
            Entry("Personalities", "psychology", "widgets.personality"),
        ),
    ),
    (
        "Costs",
        (
            Entry("Overview", "bar_chart", page="admin:costs", permission="billing.view_costsummary"),
            Entry("Cost events", "receipt_long", "billing.costevent"),
            Entry("Budgets", "savings", "billing.budget"),
            Entry("Budget alerts", "notification_important", "billing.budgetalert"),
            Entry("Model prices", "sell", "billing.modelprice"),
        ),
    ),
    (
        "Account",
        (
            Entry("Settings", "settings", "tenants.tenant"),
            Entry("Team", "group", "tenants.user"),
            Entry("Invitations", "mail", "tenants.invitation"),
            Entry("API keys", "key", "tenants.apikey"),
            Entry("Provider keys", "vpn_key", "tenants.providerkey"),
            Entry("Webhooks", "webhook", "tenants.webhookendpoint"),
            Entry("Webhook deliveries", "outbox", "tenants.webhookdelivery"),
            Entry("Audit", "history", "tenants.auditentry"),
            Entry("Exports", "archive", "tenants.export"),
            Entry("Erasures", "person_remove", "tenants.erasurereceipt"),
        ),
    ),
)
# What everybody finds under their name.
OWN_PAGES: Final = (
    ("Your sessions", "admin:own_sessions"),
    ("Second factor", "admin:own_second_factor"),
    ("Change email", "admin:own_email"),
    ("Change password", "admin:password_change"),
)
ACCOUNT: Final = "_frontdesk_account"
SCRIPTS: Final = ("admin", "charts", "preview", "uploads", "security_keys")

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
    login_template = "admin/own/login.html"
    login_form = SignInForm

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
        try:
            response: HttpResponse = super().login(request, extra_context)
        except SecondStepNeeded:
            return HttpResponseRedirect(reverse("admin:second_step"))
        return response

    def second_step(self, request: HttpRequest) -> HttpResponse:
        """The code of whoever has just given their password."""
        return code_page(request, self.each_context(request))

    def own_second_factor(self, request: HttpRequest) -> HttpResponse:
        """A second factor for one's own account."""
        return own_second_factor(request, self.each_context(request))

    def get_urls(self) -> list[Any]:
        return [
            path("costs/", self.admin_view(self.costs), name="costs"),
            path("login/code/", never_cache(self.second_step), name="second_step"),
            path("your/second-factor/", self.admin_view(self.own_second_factor), name="own_second_factor"),
            path("close-account/", self.admin_view(self.close_account), name="close_account"),
            path("staff/choose/", self.admin_view(self.choose_tenant), name="choose_tenant"),
            path("staff/leave/", self.admin_view(leave), name="leave_tenant"),
            path("your/email/", self.admin_view(self.own_email), name="own_email"),
            path("your/sessions/", self.admin_view(self.own_sessions), name="own_sessions"),
            path("search-bench/", self.admin_view(self.search_bench), name="search_bench"),
            *super().get_urls(),
        ]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django's, with times shown in the tenant's zone; a page is rendered before that ends."""
        inner = super().admin_view(view, cacheable)

        @wraps(view)
        def in_zone(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if self._must_choose(request):
                return HttpResponseRedirect(reverse("admin:choose_tenant"))
            if self._must_set_up(request):
                return HttpResponseRedirect(reverse("admin:own_second_factor"))
            with timezone.override(_account(request).zone):
                response: HttpResponseBase = inner(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
                    response.render()
                return response

        return in_zone

    def _must_choose(self, request: HttpRequest) -> bool:
        """Whether this is one of the platform's staff on a tenant's page, who has not chosen whom to act for or whose
        time has run out."""
        return (
            current_tenant() is None
            and self.has_permission(request)
            and person(request).is_platform_staff
            and not request.path.startswith(OWN_PATHS)
        )

    def choose_tenant(self, request: HttpRequest) -> HttpResponse:
        """Whom the platform's staff act for."""
        return choose(request, self.each_context(request))

    def _must_set_up(self, request: HttpRequest) -> bool:
        """Whether this person sees one page only, because their company asks for a second factor and they have none."""
        allowed = (reverse("admin:own_second_factor"), reverse("admin:logout"))
        if not self.has_permission(request) or request.path in allowed:
            return False
        is_guest = person(request).is_platform_staff and current_tenant() is not None
        return not is_guest and is_missing(person(request))

    def costs(self, request: HttpRequest) -> HttpResponse:
        """What was spent on what."""
        return costs(request, self.each_context(request))

    def close_account(self, request: HttpRequest) -> HttpResponse:
        """The end, for the time being."""
        return close_account(request, self.each_context(request))

    def own_sessions(self, request: HttpRequest) -> HttpResponse:
        """Where one is signed in."""
        return own_sessions(request, self.each_context(request))

    def own_email(self, request: HttpRequest) -> HttpResponse:
        """Another email for one's account."""
        return own_email(request, self.each_context(request))

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's; whoever else is signed in as this person is out."""
        response: HttpResponse = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == 302:
            end_sessions(person(request), but=request.session.session_key)
        return response

    def search_bench(self, request: HttpRequest) -> HttpResponseBase:
        """What would the AI see for this question?"""
        return search_bench(request, self.each_context(request))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        return context | {
            "site_title": self.site_title,
            "site_header": self.site_title,
            "site_subheader": _account(request).name,
            "site_symbol": "support_agent",
            "site_url": None,
            "sign_up": reverse("signup") if settings.SIGNUP else "",
            "account_links": [
                {"title": title, "link": reverse(page)}
                for title, page in OWN_PAGES
                # The platform's people, who have no tenant, keep the email that they were given.
                if page != "admin:own_email" or current_tenant() is not None
            ],
            "show_history": False,
            "visit": visit_of(request.session),
            "show_back_button": True,
            "site_favicons": [Favicon(href=static("config/favicon.svg"), rel="icon", type="image/svg+xml")],
            "styles": [static("config/admin.css"), static("config/admin_pages.css")],
            "scripts": [static(f"config/{name}.js") for name in SCRIPTS],
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

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> HttpResponse:
        """Our sidebar is grouped by what people do, so an app's own list of tables is no page of ours."""
        return HttpResponseRedirect(reverse("admin:index"))

    def _sidebar(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Groups of the pages that this person may open; none without a tenant."""
        groups: list[dict[str, Any]] = []
        if current_tenant() is None:
            return _choice(request) if person(request).is_platform_staff else groups
        for title, entries in SIDEBAR:
            items = [item for entry in entries if (item := self._item(request, entry))]
            if items:
                groups.append(
                    {"title": title, "separator": bool(groups), "collapsible": False, "items": items}
                )
        return groups

    def _item(self, request: HttpRequest, entry: Entry) -> dict[str, Any] | None:
        if entry.model:
            model = apps.get_model(entry.model)
            if not self.get_model_admin(model).has_module_permission(request):
                return None
            link = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        else:
            if entry.permission and not request.user.has_perm(entry.permission):
                return None
            link = reverse(entry.page)
        is_home = entry.page == "admin:index"
        return {
            "title": entry.title,
            "icon": entry.icon,
            "link": link,
            "active": request.path == link if is_home else request.path.startswith(link),
            "has_permission": True,
        }


def _choice(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of the platform's staff on pages that are no tenant's."""
    link = reverse("admin:choose_tenant")
    item = {
        "title": "Choose a company",
        "icon": "apartment",
        "link": link,
        "active": request.path == link,
        "has_permission": True,
    }
    return [{"title": "", "separator": False, "collapsible": False, "items": [item]}]


class Account(NamedTuple):
    """Whom a request acts for, as far as every page shows it."""

    name: str
    zone: ZoneInfo


def _account(request: HttpRequest) -> Account:
    """The acting tenant's name and time zone, looked up once for each request."""
    known: Account | None = getattr(request, ACCOUNT, None)
    if known is not None:
        return known
    tenant = current_tenant()
    if tenant is None:
        account = Account("AI support desk", ZoneInfo("UTC"))
    else:
        name = Tenant.objects.values_list("name", flat=True).get(pk=tenant.id)
        account = Account(name, ZoneInfo(tenant_timezone()))
    setattr(request, ACCOUNT, account)
    return account


def _taking_over(default: admin.AdminSite) -> FrontdeskAdminSite:
    ours = FrontdeskAdminSite()
    for model in apps.get_models():
        config = apps.get_app_config(model._meta.app_label)
        if getattr(config, "is_frontdesk", False) and default.is_registered(model):
            ours.register(model, type(default.get_model_admin(model)))
    return ours


note_sign_ins()
site = _taking_over(admin.site)
