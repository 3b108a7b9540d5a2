"""The live preview of a widget: the real loader and panel on a page of ours, with the settings of an unsaved form.

Nothing of it reaches a conversation: `config/widget_preview.js` answers the panel in place of the server.
"""

import json
import re
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from kernel.errors import InvalidInput
from widgets import script
from widgets.settings import DEFAULTS, merged

BOOT_URL: Final = "/preview/boot"
LONGEST_NAME: Final = 120


@require_GET
@xframe_options_sameorigin
def preview_page(request: HttpRequest) -> HttpResponse:
    """A plain page with the widget that the query describes, by the names of the form's fields."""
    _refuse_strangers(request)
    address = f"{reverse('admin:widgets_widget_preview_script')}?{request.META.get('QUERY_STRING', '')}"
    boot: dict[str, Any] = {
        "visitor_token": "preview",
        "socket_url": "wss://preview.invalid/",
        "session": None,
        "widget": {"name": _name(request), "settings": asked_settings(request), "personality": None},
        "messages": [],
    }
    context = {"boot": boot, "script": address, "starts_open": request.GET.get("closed") != "1"}
    return render(request, "admin/widgets/widget/preview.html", context)


@require_GET
def preview_script(request: HttpRequest) -> HttpResponse:
    """The loader with that look in it."""
    _refuse_strangers(request)
    wanted = asked_settings(request)
    look = {
        "key": "preview",
        "active": True,
        "name": _name(request),
        "panelUrl": f"/widget/v1/panel.{script.panel_hash()}.js",
        "bootUrl": BOOT_URL,
        **{key: wanted[key] for key in script.LOOK_SETTINGS if wanted[key]},
    }
    safe = re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match.group()):04x}", json.dumps(look))
    source = (script.DIST / "loader.js").read_text(encoding="utf-8").replace(script.PLACEHOLDER, safe)
    return HttpResponse(source, content_type="text/javascript; charset=utf-8")


def asked_settings(request: HttpRequest) -> dict[str, Any]:
    """The settings of the query. What is not valid yet, because somebody is still writing it, is as by default."""
    settings = dict(DEFAULTS)
    for key, default in DEFAULTS.items():
        if key not in request.GET:
            continue
        text = request.GET[key].replace("\0", "")
        value: Any = text
        if isinstance(default, list):
            value = [line.strip() for line in text.splitlines() if line.strip()]
        elif isinstance(default, bool):
            value = text == "on"
        try:
            settings |= merged({}, {key: value})
        except InvalidInput:
            continue
    return settings


def _name(request: HttpRequest) -> str:
    return request.GET.get("name", "").strip()[:LONGEST_NAME] or "Your widget"


def _refuse_strangers(request: HttpRequest) -> None:
    if not request.user.has_perm("widgets.view_widget"):
        raise PermissionDenied
