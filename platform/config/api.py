"""/api/: every REST door, the OpenAPI document made from them, and a page to read it on."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils.cache import get_conditional_response

import billing.api
import billing.costs.api
import knowledge.api
import meetings.api
import tenants.api
import tenants.auditing.api
import tenants.exporting.api
import tenants.webhooks.api
import widgets.api
import widgets.erasing.api
import widgets.feedback.api
import widgets.headless.api
import widgets.inbox.api
from config.describing import describe
from config.reference import Reference
from tenants.rest.conditional import etag_of
from tenants.rest.openapi import MEANINGS
from tenants.rest.rendering import dump

doors = (
    *knowledge.api.urlpatterns,
    *widgets.headless.api.urlpatterns,
    *widgets.inbox.api.urlpatterns,
    *widgets.feedback.api.urlpatterns,
    *widgets.erasing.api.urlpatterns,
    *widgets.api.urlpatterns,
    *meetings.api.urlpatterns,
    *billing.api.urlpatterns,
    *billing.costs.api.urlpatterns,
    *tenants.api.urlpatterns,
    *tenants.webhooks.api.urlpatterns,
    *tenants.auditing.api.urlpatterns,
    *tenants.exporting.api.urlpatterns,
)


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of every door."""
    return describe(doors)


def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    body = dump(document())
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag = etag_of(body)
    response = get_conditional_response(request, etag=etag, response=response) or response
    response["Access-Control-Allow-Origin"] = "*"
    return response


def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page."""
    return render(
        request,
        "config/api_reference.html",
        {"reference": Reference(document()), "problems": sorted(MEANINGS.items())},
    )


urlpatterns = [
    path("v1/openapi.json", openapi, name="openapi"),
    path("docs", docs, name="api-docs"),
    path("docs/", docs),
    path("v1/", include(list(doors))),
]
