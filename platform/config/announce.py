"""Says where everything is, once /readyz says that it is all there."""

import http.client
import io
import ipaddress
import json
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command

from config import env

PATIENCE_S = 60.0
POLL_S = 0.2


def announce_when_ready() -> None:
    """Wait until this copy is ready, then print the addresses and the demo's login; tell what is missing meanwhile."""
    began = time.monotonic()
    told = began
    while (missing := not_ready()) is not None:
        if time.monotonic() - told > PATIENCE_S:
            told = time.monotonic()
            print(f"not ready after {told - began:.0f} s: {missing}", flush=True)
        time.sleep(POLL_S)
    print("\n".join(_addresses()), flush=True)


def not_ready() -> str | None:
    """What /readyz of this copy finds missing, None where nothing is."""
    connection = http.client.HTTPConnection(_reachable(settings.HOST), settings.PORT, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": _allowed_host()})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == http.client.OK:
            return None
        checks = json.loads(body)["checks"]
        return "; ".join(f"{name}: {found}" for name, found in checks.items() if found != "ok")
    except (OSError, http.client.HTTPException):
        return "the web process does not answer yet"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"/readyz answers with status {answer.status}"
    finally:
        connection.close()


def _addresses() -> list[str]:
    base = settings.BASE_URL
    lines = [f"{' Frontdesk is ready ':─^72}"]
    if env.flag("FRONTDESK_DEMO", True):
        lines += [f"  Demo page   {base}/demo/"]
    lines += [f"  Admin       {base}/admin/", f"  API docs    {base}/api/docs"]
    if env.flag("FRONTDESK_DEMO", True):
        lines += _demo_login()
    return [*lines, "─" * 72]


def _demo_login() -> list[str]:
    show = ".venv/bin/python manage.py demo --show"
    tenant = _first_demo_tenant()
    if tenant is None:
        return [f"  Demo login  {show}"]
    if not _loopback(settings.HOST):
        # Where others can reach this copy, its log may be read by others too.
        return [f"  Demo login  {tenant['email']}, password and API key: {show}"]
    return [
        f"  Demo login  {tenant['email']}  {tenant['password']}",
        f"  API key     {tenant['api_key']}",
        f"  All logins  {show}",
    ]


def _first_demo_tenant() -> dict[str, Any] | None:
    output = io.StringIO()
    call_command("demo", show=True, json=True, stdout=output)
    try:
        tenants: list[dict[str, Any]] = json.loads(output.getvalue())["tenants"]
        return tenants[0]
    except (ValueError, LookupError):
        return None


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _allowed_host() -> str:
    names = [name for name in settings.ALLOWED_HOSTS if "*" not in name]
    return names[0].lstrip(".") if names else "localhost"
