"""The widget's script: the built loader with one widget's look in it, the panel it loads when somebody
wants it, and what the panel may need later."""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings

from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind
from widgets import settings as widget_settings
from widgets.models import Widget

DIST: Final = Path(__file__).resolve().parent / "embed" / "dist"
PLACEHOLDER: Final = '"__FRONTDESK_LOOK__"'
LOOK_SETTINGS: Final = (
    "primaryColor", "secondaryColor", "position", "launcherLabel", "theme", "locale", "greeting",
)  # fmt: skip


def loader(public_key: str) -> str:
    """The loader as JavaScript for the widget with this key. An unknown or inactive widget gets a script that keeps
    `window.Frontdesk` callable and shows nothing, so that a page does not break when a widget is switched off."""
    return _source("loader.js").replace(PLACEHOLDER, _as_javascript(look(public_key)))


def look(public_key: str) -> dict[str, Any]:
    """What the launcher looks like (widgets/embed/src/look.ts)."""
    addresses = {
        "panelUrl": f"{settings.BASE_URL}/widget/v1/panel.{panel_hash()}.js",
        "bootUrl": f"{settings.BASE_URL}/widget/v1/boot",
    }
    tenant = resolve_tenant(KeyKind.WIDGET, public_key) if len(public_key) <= 80 else None
    if tenant is not None:
        with acting_as(tenant):
            widget = Widget.objects.filter(public_key=public_key, is_active=True).first()
        if widget is not None:
            complete = widget_settings.complete(widget.settings)
            chosen = {key: complete[key] for key in LOOK_SETTINGS if complete[key]}
            return {"key": public_key, "active": True, "name": widget.name, **chosen, **addresses}
    return {"key": "", "active": False, **addresses}


def panel() -> str:
    """The panel as JavaScript; its address carries its hash, so browsers may keep it for ever."""
    return _source("panel.js")


def proof() -> str:
    """The solver of proofs of work as JavaScript, fetched only where boot asks for one."""
    return _source("proof.js")


def panel_hash() -> str:
    """Twelve hexadecimal digits of the panel's SHA-256."""
    return hashlib.sha256(_source("panel.js").encode()).hexdigest()[:12]


def etag(script: str) -> str:
    """A strong ETag of a script."""
    return f'"{hashlib.sha256(script.encode()).hexdigest()[:20]}"'


def _as_javascript(value: dict[str, Any]) -> str:
    """JSON that is safe inside a script: no `</script>`, no line separators that JavaScript once took for line ends."""
    text = orjson.dumps(value).decode()
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match.group()):04x}", text)


@cache
def _source(name: str) -> str:
    return (DIST / name).read_text(encoding="utf-8")
