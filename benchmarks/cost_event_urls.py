"""Billing's REST doors alone."""

from django.urls import include, path

from billing import api

urlpatterns = [path("api/v1/", include(api.urlpatterns))]
