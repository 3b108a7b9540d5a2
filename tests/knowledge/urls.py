"""Knowledge's doors alone, where the API has them."""

from django.urls import include, path

from knowledge import api

urlpatterns = [path("api/v1/", include(api.urlpatterns))]

handler404 = "tenants.rest.problems.page_not_found"
handler500 = "tenants.rest.problems.server_error"
