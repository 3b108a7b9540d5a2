"""/api/: every REST door, the OpenAPI document made from them, and a page to read it on."""

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

import billing.api
import billing.costs.api
import knowledge.api
import meetings.api
import tenants.api
import widgets.api
import widgets.feedback.api
import widgets.headless.api
import widgets.inbox.api
from config.reference import Reference
from tenants.rest.openapi import MEANINGS
from tenants.rest.rendering import dump

DESCRIPTION = """\
Everything a tenant's programs can do. Authenticate with `Authorization: Bearer fd_sk_…`.

Lists are newest first, in pages: `?cursor=&limit=` to `{"results", "next"}`. Types are strict: a number is not a
string, and a field that does not exist is refused by name; read-only fields are ignored, so that an item can be read,
changed and sent back. Money is a decimal string. Times are UTC. Errors are RFC 9457 problem details.
"""

# Postprocessing would name every enumeration after a hash of its values.
GENERATOR_SETTINGS = {"DESCRIPTION": DESCRIPTION, "POSTPROCESSING_HOOKS": []}

doors = [
    *knowledge.api.urlpatterns,
    *widgets.headless.api.urlpatterns,
    *widgets.inbox.api.urlpatterns,
    *widgets.feedback.api.urlpatterns,
    *widgets.api.urlpatterns,
    *meetings.api.urlpatterns,
    *billing.api.urlpatterns,
    *billing.costs.api.urlpatterns,
    *tenants.api.urlpatterns,
]


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document; made once, since doors do not change while the process runs."""
    with patched_settings(GENERATOR_SETTINGS):
        generator: Any = SchemaGenerator(patterns=[path("api/v1/", include(doors))])  # type: ignore[no-untyped-call]  # upstream
        described: dict[str, Any] = generator.get_schema(public=True)
    # Bounds that are Decimals in the code are numbers in the document.
    plain: dict[str, Any] = json.loads(json.dumps(described, default=float))
    return plain


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    response = HttpResponse(dump(document()), content_type="application/json")
    response["Access-Control-Allow-Origin"] = "*"
    return response


def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page."""
    return render(
        request, "config/api_reference.html", {"reference": Reference(document()), "problems": MEANINGS}
    )


urlpatterns = [
    path("v1/openapi.json", openapi, name="openapi"),
    path("docs", docs, name="api-docs"),
    path("docs/", docs),
    path("v1/", include(doors)),
]
