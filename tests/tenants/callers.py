"""A program that calls the API, for tests."""

from collections.abc import Callable
from typing import Any

import orjson
from django.test import Client

from tenants.models import Tenant
from tests import cast

Call = Callable[..., Any]


def caller(client: Client, tenant: Tenant, *scopes: str) -> Call:
    """Calls `/api/v1/…` with a key of `tenant` that has these scopes (all, where none is named)."""
    secret = cast.api_key(tenant, *scopes)

    def call(method: str, path: str, body: Any = None, *, key: str = secret, **headers: str) -> Any:
        return client.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else orjson.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}", **headers},
        )

    return call


def wrong_fields(response: Any) -> set[str]:
    """The fields that a 400 names."""
    assert response.status_code == 400, response.content
    assert response["Content-Type"] == "application/problem+json"
    return {error["field"] for error in response.json()["errors"]}


def code_of(response: Any, status: int) -> str:
    """The code of a problem with this status."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return str(response.json()["code"])


def every(call: Call, path: str, limit: int = 2) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items, cursor = [], None
    while True:
        joined = "&" if "?" in path else "?"
        page = call("GET", f"{path}{joined}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert page.status_code == 200, page.content
        items += page.json()["results"]
        cursor = page.json()["next"]
        if cursor is None:
            return items
