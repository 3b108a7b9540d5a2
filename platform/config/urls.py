"""Every HTTP door."""

from django.urls import URLPattern, URLResolver, include, path

from config import demo_page
from config.account_pages import ask_to_sign_up
from config.admin_site import site
from config.health import healthz, readyz
from config.metrics import metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("admin/", site.urls),
    path("account/", include("config.account_pages")),
    path("signup/", ask_to_sign_up, name="signup"),
    path("api/", include("config.api")),
    path("widget/", include("widgets.chat.api")),
    path("demo/", demo_page.show),
    path("demo/<slug:slug>/", demo_page.show),
]

# Programs get problem+json, people get pages.
handler400 = "tenants.rest.problems.bad_request"
handler403 = "tenants.rest.problems.permission_denied"
handler404 = "tenants.rest.problems.page_not_found"
handler500 = "tenants.rest.problems.server_error"
